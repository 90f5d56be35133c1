#!/bin/sh
# MLflow on PostgreSQL, for compose.yaml. All variables have to be set:
#   DATABASE        user@host:port/name of the database
#   PASSWORD_FILE   the file with the password of this user
#   ARTIFACTS       folder of the artifacts
#   HOST, PORT      where the server listens
#   ALLOWED_HOSTS   the names by which it may be called, with commas
set -eu
password=$(cat "$PASSWORD_FILE")
user=${DATABASE%%@*}
MLFLOW_BACKEND_STORE_URI="postgresql+psycopg://$user:$password@${DATABASE#*@}"
export MLFLOW_BACKEND_STORE_URI # an argument would show the password in the list of processes
exec mlflow server --artifacts-destination "$ARTIFACTS" --host "$HOST" --port "$PORT" --workers 1 --allowed-hosts "$ALLOWED_HOSTS"
