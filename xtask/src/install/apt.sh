# Installs the Debian packages "$@", as root, without questions.
set -e
export DEBIAN_FRONTEND=noninteractive

# The server's package would make a cluster and start it as a service at every boot; only its programs are wanted.
# This is the setting that Debian has for that. It goes to a file of its own, which is removed again: a server that
# somebody installs here later should behave as always.
folder=/etc/postgresql-common/createcluster.d
setting=$folder/zz-diesel-lockset.conf
policy=/usr/sbin/policy-rc.d
cleanup() {
    rm -f "$setting" $own_policy
    rmdir "$folder" /etc/postgresql-common 2>/dev/null || :
}
trap cleanup EXIT
trap 'exit 130' HUP INT TERM
mkdir -p "$folder"
echo 'create_main_cluster = false' >"$setting"
# The pooler's package has no such setting: it is told that this is not the time to start services, which is a script that
# exits with 101, and below that it need not be started at boot, unless it was here before.
own_policy=
if [ ! -e $policy ]; then
    own_policy=$policy
    printf '#!/bin/sh\nexit 101\n' >$policy
    chmod +x $policy
fi
had_pooler=$(command -v pgbouncer || :)

# Another apt-get may be at work, as on machines that update themselves after boot.
apt="apt-get -q -o DPkg::Lock::Timeout=300"
$apt update
# Releases before Debian 12 and Ubuntu 24.04 have MariaDB's version in the name of the package.
for package; do
    shift
    case $package in
    mariadb-server-core)
        [ -n "$(apt-cache search --names-only "^$package\$")" ] ||
            package=$(apt-cache search --names-only "^$package-[0-9.]+\$" | cut -d ' ' -f 1 | sort -V | tail -n 1)
        ;;
    esac
    set -- "$@" "$package"
done
# Images of containers leave translations out; the tests need PostgreSQL's.
$apt -o 'DPkg::Options::=--path-include=/usr/share/locale/*/LC_MESSAGES/postgres-*.mo' \
    install -y --no-install-recommends "$@"
case " $* " in
*" pgbouncer "*) [ -n "$had_pooler" ] || update-rc.d pgbouncer disable >/dev/null 2>&1 || : ;;
esac
