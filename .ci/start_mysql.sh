#!/bin/bash
# Runs a real MySQL server from Debian sid on an older Debian, without touching
# the installed system: the sid .debs and the libraries they need are unpacked
# into DIR/root and mysqld is started through sid's own dynamic loader.
#
#   start_mysql.sh DIR [PORT]        install if needed, then start (default 33306)
#   start_mysql.sh DIR stop          stop it
#   start_mysql.sh DIR reset [PORT]  stop, throw the data away, start afresh
#
# Needs: apt, dpkg, network access to the Debian mirror that /etc/apt names,
# about 500 MB of disk (270 MB programs, 190 MB data).  Needs no root.
# root has an empty password and the server listens on 127.0.0.1 only: a server for tests, and its durability
# is relaxed, so that a commit does not wait for the disk.
# MYSQLD_OPTS (environment) is appended to mysqld's options, SUITE picks the suite.
set -eu
DIR=${1:?usage: start_mysql.sh DIR [PORT|stop|reset [PORT]]}
mkdir -p "$DIR"; DIR=$(cd "$DIR" && pwd)
SUITE=${SUITE:-sid}
R=$DIR/root; D=$DIR/data; SOCK=$DIR/mysqld.sock; PIDF=$DIR/mysqld.pid; LOG=$DIR/mysqld.log

alive() { [ -s "$PIDF" ] && kill -0 "$(cat "$PIDF")" 2>/dev/null; }
stop() {
  alive || return 0
  local p; p=$(cat "$PIDF"); kill -TERM "$p"
  for _ in $(seq 600); do kill -0 "$p" 2>/dev/null || return 0; sleep .1; done
  echo "mysqld $p did not stop" >&2; return 1
}
PORT=33306
case "${2:-}" in
  stop)  stop; exit 0;;
  reset) stop; rm -rf "$D"; PORT=${3:-$PORT};;
  '')    ;;
  *)     PORT=$2;;
esac

# ---- 1. fetch and unpack (once) ---------------------------------------------
if [ ! -e "$DIR/.installed" ]; then
  # The mirror is whatever this machine already uses for Debian's main archive.
  URI=$(sed -nE 's/^URIs:[[:space:]]*([^[:space:]]+).*/\1/p; s/^deb[[:space:]]+(\[[^]]*\][[:space:]]+)?([^[:space:]]+).*/\2/p' \
        /etc/apt/sources.list /etc/apt/sources.list.d/*.sources /etc/apt/sources.list.d/*.list 2>/dev/null |
        grep -E '/debian/?$' | head -1)
  [ -n "$URI" ] || { echo "no Debian mirror found in /etc/apt" >&2; exit 1; }
  A=$DIR/apt
  mkdir -p "$A/lists/partial" "$A/cache/archives/partial" "$R"
  : >"$A/status"                       # an empty dpkg database: resolve everything
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $URI $SUITE main" >"$A/sources.list"
  cat >"$A/apt.conf" <<CONF
Dir::Etc::sourcelist "$A/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
Dir::State::lists "$A/lists";
Dir::State::status "$A/status";
Dir::State::extended_states "$A/extended_states";
Dir::Cache "$A/cache";
APT::Install-Recommends "false";
APT::Sandbox::User "$(id -un)";
Debug::NoLocking "true";
CONF
  export APT_CONFIG=$A/apt.conf
  apt-get -qq update
  # The whole dependency closure, less perl and everything that is no shared
  # library (mysqld itself needs no perl, shell, debconf or init scripts).
  # Prints lines like: 'URI' file size SHA256:...
  apt-get -qq --print-uris -y install mysql-server-core >"$A/uris"
  want=$(sed -nE "s/^'[^']*' ([^_ ]+)_.*/\1/p" "$A/uris" |
         grep -E '^(lib|mysql-|zlib1g|gcc-.*-base$)' | grep -vE '^(libperl|libdb5|libcrypt-dev|libc-bin|libc-l10n)')
  (cd "$A/cache/archives" && apt-get -qq download $want)   # apt checks signature and hash
  for f in "$A"/cache/archives/*.deb; do dpkg-deb -x "$f" "$R"; done
  rm -rf "$A/cache" "$A/lists"
  unset APT_CONFIG
  # sid has merged /usr; packages may still carry either form
  for l in lib lib64; do
    [ -d "$R/$l" ] && [ ! -L "$R/$l" ] && { mkdir -p "$R/usr/$l"; cp -a "$R/$l/." "$R/usr/$l/"; }
  done
  rm -rf "$R/usr/share/doc" "$R/usr/share/man" "$R/usr/share/locale" "$R/usr/lib/mysql-test" "$R/usr/share/mysql-test"
  touch "$DIR/.installed"
fi

ARCH=$(ls -d "$R"/usr/lib/*-linux-gnu | head -1)
LD=$(ls "$R"/usr/lib64/ld-linux-*.so.2 "$ARCH"/ld-linux-*.so.* 2>/dev/null | head -1)
LIBS=$(find "$R/usr/lib" -name '*.so*' -printf '%h\n' | grep -v -E '/(plugin|gconv|engines-3|ossl-modules)$' | sort -u | paste -sd:)
MYSQLD=$R/usr/sbin/mysqld
SHARE=$(dirname "$(find "$R/usr/share" -type d -path '*/mysql*/english' | head -1)")
PLUG=$(find "$R/usr/lib" -type d -name plugin -path '*mysql*' | head -1)
mysqld() {
  env -u LD_LIBRARY_PATH OPENSSL_MODULES="$ARCH/ossl-modules" GCONV_PATH="$ARCH/gconv" \
    "$LD" --library-path "$LIBS" --argv0 "$MYSQLD" "$MYSQLD" --no-defaults --user="$(id -un)" \
    --basedir="$R/usr" --lc-messages-dir="$SHARE" ${PLUG:+--plugin-dir="$PLUG"} \
    --datadir="$D" --log-error="$LOG" --secure-file-priv= "$@"
}

# ---- 2. initialise the data directory (once) ---------------------------------
if [ ! -e "$D/.initialised" ]; then
  rm -rf "$D"; mkdir -p "$D"
  mysqld --initialize-insecure
  touch "$D/.initialised"
fi

# ---- 3. start ----------------------------------------------------------------
alive && { echo "already running: pid $(cat "$PIDF")"; exit 0; }
cat >"$DIR/init.sql" <<'SQL'
CREATE USER IF NOT EXISTS root@'127.0.0.1' IDENTIFIED BY '';
GRANT ALL ON *.* TO root@'127.0.0.1' WITH GRANT OPTION;
SQL
# A temporary folder of its own: a server that starts next to it would clean up /tmp.
mkdir -p "$DIR/tmp"
mysqld --port="$PORT" --tmpdir="$DIR/tmp" --bind-address=127.0.0.1 --mysqlx=OFF --socket="$SOCK" \
  --pid-file="$PIDF" --init-file="$DIR/init.sql" \
  --disable-log-bin --innodb-flush-log-at-trx-commit=0 ${MYSQLD_OPTS:-} </dev/null >>"$DIR/stdout.log" 2>&1 &
P=$!
for _ in $(seq 600); do
  grep -q 'ready for connections' "$LOG" 2>/dev/null && alive && (exec 3<>"/dev/tcp/127.0.0.1/$PORT") 2>/dev/null && {
    echo "mysqld $(mysqld --version | sed -E 's/.*Ver ([^ ]+).*/\1/') on 127.0.0.1:$PORT, pid $(cat "$PIDF"), socket $SOCK"; exit 0; }
  kill -0 $P 2>/dev/null || { tail -20 "$LOG" "$DIR/stdout.log" >&2; exit 1; }
  sleep .1
done
echo "mysqld did not come up in 60 s" >&2; tail -20 "$LOG" >&2; exit 1
