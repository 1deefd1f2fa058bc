"""The site's mosquitto: who may publish and read what, and how it listens. Pure: text out.

A client is who its certificate says (`use_identity_as_username`): no passwords. A gateway publishes its own records and
reads its own down topics; it can neither read nor write another's.
"""

from provisioning.site.model import Client, SiteFile

FOLDER = "/etc/mosquitto/gewu"
UP = ("status", "health", "readings", "events", "cases", "gaps", "corrections", "replies/+")
DOWN = ("acks", "replay", "inbox", "commands/+")
SERVER_NAME = "broker"
_HEAD = "# Made by gewu provision gateway from the site file; changes here are overwritten.\n"
# docs/mqtt.md: a message with its readings stays far below; mosquitto drops what is larger before reading it.
_MOST_BYTES = 1_048_576


def access(site: SiteFile) -> str:
    """mosquitto's acl_file: what is not allowed here is refused."""
    parts = [_HEAD]
    for gateway in site.gateway:
        if not gateway.retired:
            prefix = f"gewu/{site.site}/{gateway.id}"
            rules = [f"topic write {prefix}/{name}" for name in UP] + [f"topic read {prefix}/{name}" for name in DOWN]
            parts.append("\n".join([f"user {gateway.id}", *rules]) + "\n")
    for client in site.broker.client if site.broker else []:
        parts.append("\n".join([f"user {client.name}", *_rules(site.site, client)]) + "\n")
    return "\n".join(parts)


def _rules(site: str, client: Client) -> list[str]:
    prefix = f"gewu/{site}/+"
    rules = []
    if "read" in client.may:
        rules += [f"topic read {prefix}/{name}" for name in UP]
    if "acknowledge" in client.may:
        rules += [f"topic write {prefix}/{name}" for name in ("acks", "replay")]
    if "command" in client.may:
        rules += [f"topic write {prefix}/{name}" for name in ("inbox", "commands/+")]
        rules += [f"topic read {prefix}/replies/+"] if "read" not in client.may else []
    return rules


def configuration(port: int, folder: str = FOLDER, address: str = "") -> str:
    """A file of /etc/mosquitto/conf.d; Debian's own mosquitto.conf keeps its data and its log.

    `address`: where it listens, everywhere when empty.
    """
    return (
        f"{_HEAD}listener {port} {address}".rstrip() + "\n"
        f"cafile {folder}/ca.pem\n"
        f"crlfile {folder}/crl.pem\n"
        f"certfile {folder}/{SERVER_NAME}.pem\n"
        f"keyfile {folder}/{SERVER_NAME}.key\n"
        "tls_version tlsv1.2\n"
        "require_certificate true\n"
        "use_identity_as_username true\n"
        "allow_anonymous false\n"
        f"acl_file {folder}/acl\n"
        f"max_packet_size {_MOST_BYTES}\n"
        "max_connections 200\n"
        # A receiver that is away for a day finds what it was sent; what waits longer is with the gateways.
        "max_queued_messages 20000\n"
        "persistent_client_expiration 7d\n"
    )
