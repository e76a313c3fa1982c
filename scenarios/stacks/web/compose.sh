# What `up` and `down` have in common; sourced by them.
set -eu
cd "$(dirname "${BASH_SOURCE[0]}")"
project=${PROJECT:-firedrill-web}

compose() {
  if docker compose version >/dev/null 2>&1; then docker compose -p "$project" -f compose.yaml "$@"
  elif command -v docker-compose >/dev/null; then docker-compose -p "$project" -f compose.yaml "$@"
  else echo "error: neither 'docker compose' nor docker-compose is here (docker-compose on Debian and Ubuntu)" >&2; exit 1; fi
}
