#!/bin/sh
# A custom runtime in shell: echoes events, or does what they say.
API="http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime"
HEADERS=$(mktemp)
trap 'rm -f "$HEADERS"' EXIT
[ -n "$FAIL_INIT" ] && {
  curl -sS -o /dev/null -H "Lambda-Runtime-Function-Error-Type: Runtime.NoConfig" \
    -d '{"errorType":"Runtime.NoConfig","errorMessage":"no configuration"}' "$API/init/error"
  exit 1
}
while :; do
  EVENT=$(curl -sS -LD "$HEADERS" "$API/invocation/next") || exit 1
  ID=$(grep -i '^Lambda-Runtime-Aws-Request-Id:' "$HEADERS" | tr -d '[:space:]' | cut -d: -f2)
  echo "event: $EVENT"
  case $EVENT in
  *\"fail\"*)
    curl -sS -o /dev/null -H "Lambda-Runtime-Function-Error-Type: Function.Bad" \
      -d '{"errorType":"Function.Bad","errorMessage":"as asked"}' "$API/invocation/$ID/error"
    ;;
  *\"sleep\"*) sleep 600 ;;
  *\"headers\"*) curl -sS -o /dev/null --data-binary @"$HEADERS" "$API/invocation/$ID/response" ;;
  *\"bytes\"*) printf '\377\000\001' | curl -sS -o /dev/null --data-binary @- "$API/invocation/$ID/response" ;;
  *\"exit\"*) exit 5 ;;
  *) curl -sS -o /dev/null -d "{\"shell\":$EVENT}" "$API/invocation/$ID/response" ;;
  esac
done
