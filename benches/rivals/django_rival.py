"""Django's select_for_update: makes slices of calls, as its standard input asks for, each session in a process of its own.

A line of input is JSON: operation, jobs, sessions, calls, limit, warm, seed, and the parameters of the connection. So is a line of output.
"""

import json
import multiprocessing
import random
import sys
import time

import django
from django.conf import settings
from django.db import connection, models, transaction

ACCOUNTS, TELLERS, HOT = (int(argument) for argument in sys.argv[1:4])
# Statements stay prepared, as on the other sides.
OPTIONS = {"server_side_binding": True, "prepare_threshold": 1, "sslmode": "disable"}
settings.configure(DATABASES={"default": {"ENGINE": "django.db.backends.postgresql", "OPTIONS": OPTIONS}})
django.setup()


def meta(**options):
    return type("Meta", (), {"app_label": "rivals", **options})


class Balance(models.Model):
    id, balance = models.IntegerField(primary_key=True), models.IntegerField()
    Meta = meta(abstract=True)


class Account(Balance):
    Meta = meta(db_table="accounts")


class Teller(Balance):
    Meta = meta(db_table="tellers")


class Job(models.Model):
    id, status = models.BigIntegerField(primary_key=True), models.TextField()
    priority, payload = models.IntegerField(), models.TextField()
    Meta = meta(db_table="jobs")


def one_row(dice, task):
    change(Account.objects.select_for_update().get(pk=dice.randint(1, ACCOUNTS)), 1)


def change(account, amount):
    account.balance += amount
    account.save(update_fields=["balance"])


def six_rows(dice, task):
    accounts, tellers = ([part + dice.randint(1, n // 3) for part in range(0, n, n // 3)] for n in (ACCOUNTS, TELLERS))
    list(Account.objects.select_for_update().filter(pk__in=accounts).order_by("pk"))
    list(Teller.objects.select_for_update().filter(pk__in=tellers).order_by("pk"))
    Account.objects.filter(pk__in=accounts).update(balance=models.F("balance") + 1)
    Teller.objects.filter(pk__in=tellers).update(balance=models.F("balance") - 1)


def claim(dice, task):
    waiting = Job.objects.select_for_update(skip_locked=True).filter(status="new")
    picked = [job.pk for job in waiting.order_by("priority", "id")[: task["jobs"]]]
    taken = Job.objects.filter(pk__in=picked).update(status="taken")
    if taken != task["jobs"]:
        raise RuntimeError(f"{taken} jobs instead of {task['jobs']}")


def transfer(dice, task):
    payer = dice.randint(1, HOT)
    payee = 1 + (payer + dice.randint(0, HOT - 2)) % HOT
    for account in Account.objects.select_for_update().filter(pk__in=[payer, payee]).order_by("pk"):
        change(account, -1 if account.pk == payer else 1)


def call(task, dice):
    if task["operation"] == "no_transaction":
        return change(Account.objects.select_for_update().get(pk=1), 1)
    operations = {"one_row": one_row, "six_rows": six_rows, "claim": claim, "transfer": transfer}
    with transaction.atomic():
        operations[task["operation"]](dice, task)


def session(task, number, warm_up, together, results):
    dice = random.Random(task["seed"] * 1000 + number)
    calls, retries, failure = 0, 0, None
    try:
        with warm_up:
            for _ in range(task["warm"]):
                call(task, dice)
    except Exception as error:
        failure = f"{type(error).__name__}: {error}"
    together.wait()
    begin = time.monotonic()
    while failure is None and calls < task["calls"] and time.monotonic() - begin < task["limit"]:
        try:
            call(task, dice)
            calls += 1
        except Exception as error:
            failure = f"{type(error).__name__}: {error}"
            if "deadlock detected" in failure:
                retries, failure = retries + 1, None
    results.put((begin, time.monotonic(), calls, retries, failure))
    connection.close()


def run(task):
    connection.settings_dict.update(task["connection"])
    sessions, fork = task["sessions"], multiprocessing.get_context("fork")
    warm_up, together, results = fork.Lock(), fork.Barrier(sessions), fork.SimpleQueue()
    for number in range(sessions):
        fork.Process(target=session, args=(task, number, warm_up, together, results)).start()
    begins, ends, calls, retries, failures = zip(*(results.get() for _ in range(sessions)))
    for process in multiprocessing.active_children():
        process.join()
    if any(failures):
        return {"error": next(filter(None, failures))}
    return {"calls": sum(calls), "seconds": max(ends) - min(begins), "retries": sum(retries)}


for line in sys.stdin:
    print(json.dumps(run(json.loads(line))), flush=True)
