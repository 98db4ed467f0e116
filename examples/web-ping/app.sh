#!/bin/sh
# Pings $TARGET with an HTTP request every $INTERVAL milliseconds, and says what came back.
case $METHOD in
    HEAD) how=--spider ;;
    GET) how='-O /dev/null' ;;
    *) echo "METHOD has to be HEAD or GET, not '$METHOD'" >&2 && exit 2 ;;
esac

echo "** web-ping ** Pinging: $TARGET; method: $METHOD; $INTERVAL ms intervals"
while :; do
    # shellcheck disable=SC2086 # two words
    status=$(wget -S $how "http://$TARGET" 2>&1 | sed -n 's,.*HTTP/1\.[01] ,,p' | tail -n 1)
    echo "Got response status: ${status:-none}"
    usleep "${INTERVAL}000"
done
