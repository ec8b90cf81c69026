"""Runs many processes of tests/tools/claims.c on one shared directory, and checks that each batch was in one
place at a time. Also runs in a guest, without the rest of this package."""
import collections
import contextlib
import glob
import os
import random
import re
import signal
import subprocess
import time

LOSSES_MOST = 3  # CLAIM_LOSSES_MOST
PLACES = ("queue", "claims", "done")
LINE = re.compile(r"(take|finish|return|lose) (\d+) (\d+) (\d+) (\S+) ([01?])")
SECONDS = 300  # until a process that still runs is a failure


class Hammer:
    """A run with BATCHES batches in DIRECTORY. PLACES: the same as each client sees it; each client has
    WORKERS processes that work, and one that watches."""

    def __init__(self, program, directory, places, logs, batches, seed, workers):
        self.program, self.dir, self.places, self.logs = program, directory, places, logs
        self.batches, self.seed, self.workers = batches, seed, workers
        self.random = random.Random(seed)
        self.running, self.wrong, self.said, self.started = {}, [], [], 0
        os.makedirs(logs, exist_ok=True)

    def start(self, what, place, *more):
        """A name belongs to one process for ever."""
        self.started += 1
        name = f"{what[0]}{self.started}"
        words = [self.program, what, place, self.logs, name, str(self.batches), str(self.seed), *more]
        self.running[name] = (subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                               text=True), what, place)

    def collect(self, name):
        process, what, place = self.running.pop(name)
        out, _ = process.communicate()
        self.said.append(out.strip())
        if process.returncode == -signal.SIGKILL:
            # Its machine knows that it is dead, as a cluster does.
            open(f"{self.logs}/dead.{name}", "w", encoding="ascii").close()
            self.start(what, place)
        elif process.returncode:
            self.wrong.append(f"{name}: exit status {process.returncode}: {out}")

    def kill_one(self):
        """Only workers: a watcher's lease lasts for a minute."""
        names = [name for name, (_, what, _) in self.running.items() if what == "work"]
        if names:
            self.running[self.random.choice(names)][0].kill()

    def done(self):
        return len(os.listdir(f"{self.dir}/done"))

    def run(self, kills=0, disturb=(), every=0.2):
        """Kills KILLS processes and calls the functions DISTURB, evenly from the start to the end. Returns
        complaints."""
        acts = [(number / (kills + 1), self.kill_one) for number in range(kills)]
        acts += [((number + 1) / (len(disturb) + 1), act) for number, act in enumerate(disturb)]
        acts.sort(key=lambda one: one[0], reverse=True)
        subprocess.run([self.program, "make", self.places[0]], check=True)
        for place in self.places:
            for _ in range(self.workers):
                self.start("work", place)
            self.start("watch", place)
        end = time.monotonic() + SECONDS
        while self.running and time.monotonic() < end:
            time.sleep(every)
            while acts and self.done() >= acts[-1][0] * self.batches:
                acts.pop()[1]()
            for name in [name for name, one in self.running.items() if one[0].poll() is not None]:
                self.collect(name)
        for name, (process, _, place) in self.running.items():
            process.kill()
            self.wrong.append(f"{name} in {place} still runs after {SECONDS} s")
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.communicate(timeout=10)
        return self.wrong + list(conserved(self.dir, self.logs, self.batches))

    def recovered(self):
        return sum(int(number) for number in re.findall(r"(\d+) recovered", "\n".join(self.said)))


def names_in(directory):
    """Yields (place, number, generation, losses, task) of each batch."""
    for place in PLACES:
        for name in os.listdir(f"{directory}/{place}"):
            if name == "all":
                continue
            number, generation, losses, task = re.fullmatch(r"(\d{6,})\.g(\d+)\.l(\d+)\.?(.*)", name).groups()
            yield place, int(number), int(generation), int(losses), task


def moves_in(logs):
    """Returns {what: {(number, generation): {(task, losses, result)}}}."""
    moves = collections.defaultdict(lambda: collections.defaultdict(set))
    for log in glob.glob(f"{logs}/*.log"):
        with open(log, encoding="ascii") as file:
            for what, number, generation, losses, task, result in LINE.findall(file.read()):
                moves[what][int(number), int(generation)].add((task, int(losses), result))
    return moves


def histories(moves, ends):
    """What the logs say about each batch and generation. A process that was killed wrote no result, or not
    even that it took a batch."""
    for batch, tasks in moves["take"].items():
        if len(tasks) > 1:
            yield f"{batch} was taken by {sorted(tasks)}"
    taken = {batch: next(iter(tasks))[0] for batch, tasks in moves["take"].items()}
    moved = collections.Counter()
    for what in ("finish", "return", "lose"):
        for batch, results in moves[what].items():
            moved[batch] += any(result == "1" for _, _, result in results)
            for task, _, _ in results:
                if taken.get(batch, task) != task:
                    yield f"{batch} of {taken[batch]}: {what} by {task}"
    for batch, count in moved.items():
        if count > 1:
            yield f"{batch} was moved {count} times"
    for number, (generation, losses, task) in ends.items():
        batch, last = (number, generation), "lose" if losses >= LOSSES_MOST else "finish"
        if not any(who == task and result in "1?" for who, _, result in moves[last][batch]):
            yield f"{batch} is done by {task}, which did not {last} it"
    for batch, results in moves["finish"].items():
        for task, losses, result in results:
            if result == "1" and ends.get(batch[0]) != (batch[1], losses, task):
                yield f"{batch} was finished by {task}, but the end is {ends.get(batch[0])}"


def watchers(logs):
    """Two watchers never held the lease at the same time."""
    held = []
    for log in glob.glob(f"{logs}/*.log"):
        with open(log, encoding="ascii") as file:
            found = re.findall(r"^held (\d+) (\d+)", file.read(), re.M)
        held += [(int(begin), int(end)) for begin, end in found]
    held.sort()
    for (_, end), (begin, _) in zip(held, held[1:]):
        if begin < end:
            yield f"two watchers held the lease, for {end - begin} us"
    if not held:
        yield "nobody watched"


def conserved(directory, logs, batches):
    """Yields complaints about a run that has ended."""
    ends = {}
    found = collections.Counter()
    publishers = set()
    for place, number, generation, losses, task in names_in(directory):
        found[number] += 1
        if place != "done":
            yield f"batch {number} is in {place}"
            continue
        ends[number] = (generation, losses, task)
        with open(f"{directory}/done/{number:06}.g{generation}.l{losses}.{task}", encoding="ascii") as file:
            text = file.read()
        if number:
            publishers.add(text.split()[1])
    if sorted(found.elements()) != list(range(batches + 1)):
        yield f"not each batch once: {found - collections.Counter(range(batches + 1))} too many, " \
              f"{collections.Counter(range(batches + 1)) - found} missing"
    if len(publishers) != 1:
        yield f"the batches are those of {publishers}"
    yield from histories(moves_in(logs), ends)
    yield from watchers(logs)
