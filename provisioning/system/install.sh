#!/bin/sh
# Makes this machine the gateway that this folder is for: `sudo sh install.sh`. With --list it only says what it would do.
# Again, it changes nothing. GEWU_ROOT=FOLDER works on a system that does not run, such as a card in a reader.
set -eu
here=$(cd -- "$(dirname -- "$0")" && pwd)
R=${GEWU_ROOT:-}
list=${1:-}
umask 077

fail() { printf 'gewu: %s\n' "$*" >&2; exit 1; }
# The numbers of a user and a group of the system in $R, which this one need not know.
own() {
    if [ -z "$R" ]; then chown "$1" "$2" || fail "there is no user ${1%%:*}: install its package first."; return; fi
    user=$(awk -F : -v name="${1%%:*}" '$1 == name { print $3 }' "$R/etc/passwd" 2>/dev/null || true)
    group=$(awk -F : -v name="${1##*:}" '$1 == name { print $3 }' "$R/etc/group" 2>/dev/null || true)
    if [ "$(id -u)" = 0 ] && [ -n "$user$group" ]; then chown "$user:$group" "$2"; fi
}
has() { case " $1 " in *" $2 "*) ;; *) return 1 ;; esac; }

[ -z "$list" ] || [ "$list" = --list ] || fail "'$list' is unknown; there is --list, or nothing."
if [ -z "$R" ] && [ "$(id -u)" != 0 ]; then fail "this needs root: sudo sh $0 $list"; fi
(cd "$here" && sha256sum --quiet -c SHA256SUMS) || fail "this folder is damaged or was changed; nothing was touched. Make it anew and copy it again."

packages=''
if [ -z "$R" ]; then
    for deb in "$here"/packages/*.deb; do
        [ -e "$deb" ] || continue
        name=$(dpkg-deb -f "$deb" Package) version=$(dpkg-deb -f "$deb" Version)
        if [ "$(dpkg-query -W -f '${db:Status-Status} ${Version}' "$name" 2>/dev/null || true)" != "installed $version" ]; then
            packages="$packages packages/${deb##*/}"
            echo "package $name $version"
        fi
    done
fi

changed='' tab=$(printf '\t')
while IFS=$tab read -r mode owner path; do
    target=$R$path
    if [ ! -e "$target" ]; then what=new
    elif ! cmp -s "$here/root$path" "$target"; then what=changed
    elif [ "$(stat -c %a "$target")" != "$mode" ]; then what=mode
    else continue; fi
    echo "$what $path"
    changed="$changed $path"
done <"$here/files"
kept=$R/etc/gewu/.installed
gone=''
if [ -f "$kept" ]; then
    while read -r path; do
        if [ -e "$R$path" ] && ! cut -f 3 "$here/files" | grep -qxF "$path"; then
            echo "removed $path"
            gone="$gone $path"
        fi
    done <"$kept"
fi
timezone=$(cat "$here/timezone" 2>/dev/null || true)
if [ -n "$timezone" ]; then
    [ -e "$R/usr/share/zoneinfo/$timezone" ] || fail "this system knows no time zone $timezone; nothing was touched."
    if [ "$(readlink "$R/etc/localtime" || true)" = "/usr/share/zoneinfo/$timezone" ]; then timezone=''; else echo "timezone $timezone"; fi
fi
root=''
if [ -e "$here/read-only" ] && [ ! -e "$R/etc/gewu/read-only" ]; then root=read-only; fi
if [ ! -e "$here/read-only" ] && [ -e "$R/etc/gewu/read-only" ]; then root=writable; fi
[ -z "$root" ] || echo "root $root from the next start on"

if [ -z "$packages$changed$gone$timezone$root" ]; then echo "no change"; exit 0; fi
if [ "$list" = --list ]; then exit 0; fi

reopened=''
if [ -z "$R" ] && [ -e /etc/gewu/read-only ]; then
    if [ -n "$packages" ]; then fail "packages cannot be installed on a read-only root: 'gewu-root writable', reboot, then this again."; fi
    gewu-root open
    reopened=1
fi
# Names of packages hold no spaces; a folder's path may: so from inside it.
# shellcheck disable=SC2086
if [ -n "$packages" ]; then (cd "$here" && dpkg -i $packages); fi
if [ -z "$R" ]; then
    command -v gewu >/dev/null || fail "gewu is not installed: put its package (gewu provision deb) into $here/packages, or dpkg -i it."
    gewu check --config "$here/root/etc/gewu/gewu.toml" >/dev/null || fail "the configuration in this folder is refused (see above); the one in force stays."
fi
for path in $changed; do
    entry=$(awk -F "$tab" -v path="$path" '$3 == path' "$here/files")
    mode=$(printf '%s' "$entry" | cut -f 1) owner=$(printf '%s' "$entry" | cut -f 2)
    target=$R$path
    (umask 022 && mkdir -p "$(dirname "$target")")
    cp "$here/root$path" "$target.new"
    own "$owner" "$target.new"
    chmod "$mode" "$target.new"
    sync "$target.new"
    mv "$target.new" "$target"
done
for path in $gone; do rm -f "$R$path"; done
if [ -n "$timezone" ]; then ln -sfn "/usr/share/zoneinfo/$timezone" "$R/etc/localtime"; fi
cut -f 3 "$here/files" >"$kept.new" && chmod 644 "$kept.new" && mv "$kept.new" "$kept"
sync

own root:gewu "$R/etc/gewu" && chmod 0750 "$R/etc/gewu"
if [ -z "$R" ]; then
    if [ -n "$root" ]; then gewu-root "$root"; fi
    all="$changed$gone"
    restart=''
    case "$all" in *" /etc/mosquitto/"*) restart="$restart mosquitto" ;; esac
    case "$all" in *" /etc/systemd/journald"*) restart="$restart systemd-journald" ;; esac
    case "$all" in *" /etc/systemd/timesyncd"*) restart="$restart systemd-timesyncd" ;; esac
    case "$packages$all$timezone" in *" /etc/gewu/"* | *gewu.service.d* | *gewu-edge* | */*) restart="$restart gewu" ;; esac
    if [ -d /run/systemd/system ]; then
        systemctl daemon-reload
        if has "$all" /etc/udev/rules.d/80-gewu.rules; then udevadm control --reload && udevadm trigger --subsystem-match=tty; fi
        systemctl enable --quiet gewu
        for unit in $restart; do systemctl restart "$unit" || fail "$unit does not start: journalctl -u $unit -n 50"; done
    fi
elif [ "$root" = writable ] || [ "$root" = read-only ]; then
    GEWU_ROOT=$R sh "$here/gewu-root" "$root"
fi
if [ -n "$reopened" ]; then gewu-root close || echo "gewu: / stays writable until the next start" >&2; fi
echo "done"
