#!/bin/sh
# Makes the secrets of compose.yaml in deploy/secrets, from the system's random numbers. Those that
# are there stay: MongoDB knows them.
set -eu
umask 077
mkdir -p "$(dirname "$0")/secrets"
cd "$(dirname "$0")/secrets"

random() { head -c 24 /dev/urandom | od -An -v -tx1 | tr -d ' \n'; }

for name in mongodb-root-password mongodb-password; do
    test -s "$name" || random > "$name"
done
test -s settings.yaml || cat > settings.yaml << END
secret_key: $(random)
mongodb_uri: mongodb://indico:$(cat mongodb-password)@mongodb-1,mongodb-2,mongodb-3/?replicaSet=indico
END

# They are read by users of the containers; the folder keeps those of this machine out.
chmod 444 ./*
