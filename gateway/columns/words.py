"""The preset dictionary of packed readings: what a decoder must know beforehand. It holds nothing else."""

# Part of the format, for ever: names that values and devices often have, the likeliest last.
WORDS = (
    b"position duration pressure flow volume sound_speed signal_strength battery illuminance moisture "
    b"conductivity co2 voc concentration light motion presence door smoke gas gas_level water leak inputs "
    b"pulses contact closed rating curve clock boot_count uptime bus_frames bus_crc_errors trip_count "
    b"trip_cause trip_age trip_by trip_temperature trip_residual trip_voltage trip_current self_test alarms "
    b"prealarm apparent_power reactive_power voltage_l1 voltage_l2 voltage_l3 current_l1 current_l2 current_l3 "
    b"power_l1 power_l2 power_l3 energy_import energy_export device meter sensor breaker humidity thermal "
    b"terminal_temperature residual_rms residual_ac residual_dc supply state tripped power_factor frequency "
    b"temperature residual energy power current voltage b0101"
)
