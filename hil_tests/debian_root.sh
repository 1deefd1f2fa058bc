#!/bin/sh
# Installs the .deb in a clean Debian and says what came of it: `sudo sh hil_tests/debian_root.sh ROOT DEB [PARCEL]`.
# ROOT is a folder with a Debian 12 or 13 (debootstrap --variant=minbase --include=python3,systemd bookworm ROOT).
# It is not changed: everything goes to an overlay in memory, in a mount namespace that ends with this script.
# Python and systemd are fetched where ROOT lacks them, as they are on every Raspberry Pi; all else runs without a network.
# PARCEL is a folder of `gewu provision gateway --out`, which is installed there too (mosquitto is fetched for it).
set -eu
if [ "${1:-}" != --inside ]; then
    if [ $# -lt 2 ] || [ ! -d "$1" ] || [ ! -f "$2" ]; then sed -n '2,6s/^# //p' "$0" >&2; exit 2; fi
    exec unshare --mount --propagation private sh "$0" --inside "$(readlink -f "$1")" "$(readlink -f "$2")" "${3:+$(readlink -f "$3")}"
fi
root=$2 deb=$3 parcel=$4
work=$(mktemp -d)
trap 'cd /; umount -R "$work" 2>/dev/null || true; rmdir "$work" 2>/dev/null || true' EXIT
mount -t tmpfs -o size=4G tmpfs "$work"
mkdir "$work/up" "$work/work" "$work/root"
mount -t overlay -o "lowerdir=$root,upperdir=$work/up,workdir=$work/work" overlay "$work/root"
r=$work/root
for name in proc sys dev; do mount --rbind "/$name" "$r/$name"; done
cp /etc/resolv.conf "$r/etc/resolv.conf"
printf '#!/bin/sh\nexit 101\n' >"$r/usr/sbin/policy-rc.d" && chmod 755 "$r/usr/sbin/policy-rc.d"

online() { env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 chroot "$r" "$@"; }
offline() { unshare --net env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 chroot "$r" "$@"; }
step() { printf '\n== %s\n' "$*"; "$@"; }

if [ ! -x "$r/usr/bin/systemctl" ] || [ ! -x "$r/usr/bin/python3" ]; then
    { online apt-get -qq update && online apt-get -qq install -y --no-install-recommends python3 systemd; } >"$work/apt.log" 2>&1 || { tail -5 "$work/apt.log" >&2; exit 1; }
fi
if [ -n "$parcel" ]; then
    { online apt-get -qq update && online apt-get -qq install -y --no-install-recommends mosquitto tzdata; } >"$work/apt.log" 2>&1 || { tail -5 "$work/apt.log" >&2; exit 1; }
    cp -a "$parcel" "$r/root/parcel"
fi
cp "$deb" "$r/root/gewu.deb"
# shellcheck disable=SC2016
step offline sh -c '. /etc/os-release; echo "$PRETTY_NAME"; python3 --version; systemctl --version | head -1'
begin=$(date +%s)
step offline dpkg -i /root/gewu.deb
echo "installed in $(($(date +%s) - begin)) s, $(du -sm "$r/opt/gewu" | cut -f 1) MB"
step offline gewu --version
step offline dpkg --verify gewu-edge
step offline sh -c 'id gewu && systemctl is-enabled gewu gewu-trial gewu-overlay && ls -l /opt/gewu /var/lib | grep -E "current|gewu" || true'
if [ -n "$parcel" ]; then
    for _ in 1 2; do step offline sh /root/parcel/install.sh; done
    step offline sh -c 'ls -l /etc/gewu /etc/mosquitto/gewu && stat -c "%U:%G %a %n" /etc/gewu'
    step offline sh -c 'setpriv --reuid gewu --regid gewu --init-groups gewu check --config /etc/gewu/gewu.toml'
    step offline sh -c 'install -d -o mosquitto /run/mosquitto /var/log/mosquitto; timeout 5 mosquitto -c /etc/mosquitto/mosquitto.conf; [ $? = 124 ] && tail -4 /var/log/mosquitto/mosquitto.log && echo "mosquitto runs with it"'
    rm -rf "$r/etc/gewu" && mkdir "$r/etc/gewu"
fi
printf '[gateway]\nid = "clean-01"\nsite = "clean"\n' >"$r/etc/gewu/gewu.toml"
step offline gewu check --config /etc/gewu/gewu.toml
for unit in gewu gewu-trial gewu-overlay; do step offline systemd-analyze verify "/usr/lib/systemd/system/$unit.service"; done
for unit in gewu gewu-trial; do step offline sh -c "systemd-analyze security --offline=true --threshold=20 /usr/lib/systemd/system/$unit.service | tail -1"; done
# The gateway itself, as its user, as systemd would start it.
step offline sh -c 'install -d -o gewu -g gewu -m 750 /var/lib/gewu && setpriv --reuid gewu --regid gewu --init-groups timeout -s TERM 8 /opt/gewu/current/bin/python -P -m gateway run --config /etc/gewu/gewu.toml 2>&1 | grep -E "runs|stopped"'
step offline dpkg -i /root/gewu.deb
step offline dpkg -r gewu-edge
step offline sh -c 'ls /etc/gewu/gewu.toml /var/lib/gewu/outbox.db && ! ls -d /opt/gewu 2>/dev/null'
step offline dpkg -P gewu-edge
step offline sh -c '! ls -d /etc/gewu /var/lib/gewu /opt/gewu /usr/share/gewu 2>/dev/null && echo "nothing is left"'
echo
echo "all is well"
