#!/bin/sh
# Makes the secrets of compose.yaml in deploy/secrets, from the system's random numbers. Existing
# secrets stay, because MongoDB has them already.
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

# Users of the containers read these files. The folder's rights keep out users of this machine.
chmod 444 ./*
