#!/bin/sh
# Install the missing peers of the tests: Orthanc, DCMTK, PostgreSQL and openssl.
set -eu

packages=""
command -v Orthanc >/dev/null || packages="$packages orthanc"
[ -e /usr/share/orthanc/plugins/libOrthancDicomWeb.so ] || packages="$packages orthanc-dicomweb"
command -v dcmqrscp >/dev/null || packages="$packages dcmtk"
ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 || command -v postgres >/dev/null ||
    packages="$packages postgresql"
command -v openssl >/dev/null || packages="$packages openssl"
[ -n "$packages" ] || exit 0

# set PACSFW_REQUIRE_PEERS to an empty value to continue without them: their tests are skipped
give_up() {
    echo "The tests need$packages, but $1." >&2
    echo "Install them yourself, or skip their tests: make test PACSFW_REQUIRE_PEERS=" >&2
    [ "${PACSFW_REQUIRE_PEERS-1}" ] && exit 1
    exit 0
}

command -v apt-get >/dev/null || give_up "there is no apt-get here"
sudo=""
if [ "$(id -u)" -ne 0 ]; then
    sudo="sudo -n"
    $sudo true 2>/dev/null || give_up "the installation requires root or sudo without a password"
fi

echo "Installing$packages (apt-get)"
export DEBIAN_FRONTEND=noninteractive
$sudo apt-get update -qq || give_up "apt-get update failed"
# shellcheck disable=SC2086
$sudo apt-get install -y -qq --no-install-recommends $packages || give_up "apt-get failed"

# Debian creates a cluster and starts it on port 5432, now and at each boot. The tests create
# their own, so stop this one if we installed it.
case "$packages" in *" postgresql "* | *" postgresql")
    $sudo systemctl disable --now postgresql 2>/dev/null ||
        $sudo service postgresql stop >/dev/null 2>&1 || true ;;
esac

# The package may start a server on ports 4242 and 8042, now and at each boot. The tests
# start their own, so stop this one, unless Orthanc was already installed.
case "$packages" in *" orthanc "* | *" orthanc")
    if pgrep -x Orthanc >/dev/null 2>&1; then
        $sudo systemctl disable --now orthanc 2>/dev/null || $sudo service orthanc stop ||
            echo "The package started Orthanc on ports 4242 and 8042: stop it." >&2
        echo "Stopped the Orthanc service that the package started."
    fi ;;
esac
