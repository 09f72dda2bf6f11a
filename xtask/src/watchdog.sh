# Ends what xtask started if xtask itself was killed. $1: the scratch folder to remove.
# Each line of standard input is the list of process groups that run at that moment; it replaces the one before.
# The end of input means that xtask is gone: in good order if the last list is empty.
trap '' INT TERM HUP QUIT
groups=
while read -r line; do groups=$line; done

send() { for group in $groups; do kill -s "$1" -- "-$group" 2>/dev/null; done; }
# Tells whether any group is left.
any() { for group in $groups; do kill -s 0 -- "-$group" 2>/dev/null && return 0; done; return 1; }

# SIGINT is a fast shutdown to PostgreSQL and the end to everything else but MariaDB. SIGTERM ends that, and is nothing
# new to a PostgreSQL that shuts down.
send INT
send TERM
rounds=0
while any && [ "$rounds" -lt 50 ]; do sleep 0.1; rounds=$((rounds + 1)); done
send KILL
rm -rf -- "$1"
