"""Eight processes that share batches in a local directory (frontend/cluster/claims.h), die, return batches
and take them from each other: each batch is in one place, and finished once. cluster_nfs.py does the same
over NFS.

hammer.py [SEED]"""
import os
import random
import shutil
import sys

from support import hammer, tap
from support.world import BUILD, SCRATCH

SEED = int(sys.argv[1]) if len(sys.argv) > 1 else random.randrange(1 << 16)
BATCHES = 300


def storm(seed):
    directory = f"{SCRATCH}/{os.getpid()}.hammer"
    place = f"{directory}/shared"
    os.makedirs(place)
    one = hammer.Hammer(f"{BUILD}/tests/claims_hammer", place, [place, place], f"{directory}/logs", BATCHES,
                        seed, 3)
    wrong = one.run(kills=5, every=0.05)
    tap.report(not wrong, "each batch is in one place and finished once", f"seed {seed}", *wrong)
    return directory, place


def checks_bite(directory, place):
    """The check itself: a batch in two places, one that is missing, one that another task finished."""
    names = sorted(os.listdir(f"{place}/done"))

    def moved(what, before, after, says):
        shutil.copytree(place, f"{directory}/changed")
        shutil.move(f"{directory}/changed/{before}", f"{directory}/changed/{after}")
        wrong = "\n".join(hammer.conserved(f"{directory}/changed", f"{directory}/logs", BATCHES))
        tap.report(says in wrong, f"the check notices {what}", wrong)
        shutil.rmtree(f"{directory}/changed")

    number, generation, rest = names[7].split(".", 2)
    moved("a batch that is not done", f"done/{names[7]}", f"claims/{names[7]}", "batch 7 is in claims")
    moved("a batch that is missing", f"done/{names[7]}", "lost", "Counter({7: 1}) missing")
    moved("a batch that is done twice", f"done/{names[7]}", f"done/000006.{generation}.{rest}x",
          "Counter({6: 1}) too many")
    moved("a batch that another task finished", f"done/{names[7]}", f"done/{number}.{generation}.{rest}x",
          f"(7, {generation[1:]}) is done by ")


directory, place = storm(SEED)
checks_bite(directory, place)
shutil.rmtree(directory)
tap.done()
