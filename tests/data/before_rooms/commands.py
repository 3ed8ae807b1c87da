"""The commands whose answers are kept, in groups; each group begins with the data laid out anew, as `lay_out` does.

Commands of a group build on one another; they are given in `{work}`, which tables name runs in, for a path of any other
length would move their titles. What is written to `{work}/out` is kept as hashes.
"""

RUN, ANY, FAMILY, OUT, WRONG = "{work}/run", "{work}/any/run", "{assets}/family", "{work}/out", "{work}/wrong"
JA, FLAT = f"{FAMILY}/ja", f"{FAMILY}/flat"
NAMES = ("ja", "flat", "real")  # base and real share a chromosome: an angle of 0, but for noise
CAPTIONS, SET = "{work}/inputs/captions.csv", f"{RUN}/prompts.yaml"
STAIR = ["prompts", "import-stair", "{work}/inputs/stair_val.json", "--pictures", f"{RUN}/images/0001"]
ENGLISH = ["--english", "{work}/inputs/captions_val2014.json"]
FEW = ["--evolve", "1", "--held-out", "3", "--pairs", "2", "--json"]

GROUPS = {
    "sources": [
        ["sources", "list", "--json"],
        ["sources", "inspect", JA, "--json"],
        ["sources", "compare", *(f"{FAMILY}/{name}" for name in NAMES), "--json"],
    ],
    "prompts": [
        ["prompts", "check", CAPTIONS, "--json"],
        ["prompts", "check", CAPTIONS],
        ["prompts", "check", SET, "--json"],
        ["prompts", "split", "{work}/inputs/ten.csv", "--out", f"{OUT}/split", "--seed", "3", "--json"],
        [*STAIR, *ENGLISH, "--out", f"{OUT}/stair", *FEW],
        [*STAIR, "--out", f"{OUT}/japanese", *FEW],
    ],
    "recipes": [
        ["recipe", "blend", JA, FLAT, "--weights", "0.7,0.3", "--attention", "0.4,0.6", "--out", f"{OUT}/blend.json"],
        ["recipe", "pin", "{work}/inputs/half.json", "--out", f"{OUT}/half.json"],
        ["merge", f"{OUT}/half.json", "--out", f"{OUT}/half.safetensors", "--dtype", "fp16", "--json"],
        ["verify", f"{OUT}/half.safetensors", "--json"],
        ["sources", "inspect", f"{OUT}/half.safetensors", "--json"],
    ],
    "runs": [
        ["show", RUN, "--json"],
        ["show", "run"],
        ["votes", RUN, "--json"],
        ["votes", "run"],
        ["report", RUN, "--out", "{work}/report.html"],
        ["evolve", f"{RUN}/run.yaml", "--preflight", "--out", "{work}/new", "--json"],
        ["evolve", "--fork", "{work}/finished", "--preflight", "--evaluations", "9", "--out", "{work}/new", "--json"],
        ["score", f"{RUN}:0001", "--prompts", SET, "--json"],
    ],
    "resumed": [["evolve", "--resume", "--out", RUN, "--json"]],
    "finished": [
        ["show", "{work}/finished", "--json"],
        ["evolve", "--resume", "--out", "{work}/finished", "--json"],
        ["votes", "{work}/finished", "--json"],
    ],
    "exports": [
        ["export", RUN, "0001", "--out", "{work}/new/momiji", "--json"],
        ["verify", "{work}/new/momiji", "--json"],
        ["verify", "{work}/new/momiji", "--hashes", "{work}/exports/hashes.json", "--json"],
        ["export", RUN, "0001", "--out", "{work}/new/momiji.safetensors", "--json"],
        ["verify", "{work}/new/momiji.safetensors", "--json"],
    ],
    "any": [
        ["show", ANY, "--json"],
        ["show", "any/run"],
        ["export", ANY, "0003", "--out", f"{OUT}/network", "--json"],
        ["merge", f"{OUT}/network/recipe.json", "--out", f"{OUT}/again", "--json"],
        ["evolve", "--resume", "--out", ANY, "--json"],
        ["evolve", "{work}/any/asked.yaml", "--seed", "6", "--out", "{work}/any/new", "--json"],
    ],
    "refused": [
        ["show", "{work}"],
        ["show", f"{WRONG}/newer"],
        ["show", f"{WRONG}/damaged"],
        ["votes", f"{WRONG}/votes"],
        ["evolve"],
        ["evolve", "{work}/nothing.yaml", "--json"],
        ["evolve", f"{WRONG}/key.yaml"],
        ["evolve", f"{RUN}/run.yaml", "--set", "breeding.colour=red"],
        ["evolve", f"{RUN}/run.yaml", "--set", "archive=1"],
        ["evolve", f"{RUN}/run.yaml", "--set", "host={default: nobody}", "--out", "{work}/new"],
        ["evolve", f"{RUN}/run.yaml", "--set", "votes={work}/finished", "--out", "{work}/new"],
        ["evolve", f"{RUN}/run.yaml", "--out", RUN],
        ["evolve", "--resume", "--out", RUN, "--seed", "1"],
        ["evolve", "--resume", "--out", RUN, "--evaluations", "1"],
        ["evolve", "--resume", "--out", ANY, "--seed", "50"],
        ["report", ANY],
        ["export", RUN, "9999", "--out", OUT, "--json"],
        ["export", RUN, "0001", "--out", "{work}/finished"],
        ["export", RUN, "0001", "--out", OUT, "--push", "nobody"],
        ["export", RUN, "0001", "--out", OUT, "--dtype", "int8"],
        ["export", ANY, "0001", "--out", OUT, "--dtype", "fp16"],
        ["merge", f"{WRONG}/recipe.json", "--out", OUT],
        ["recipe", "blend", JA, FLAT, "--weights", "1", "--out", f"{OUT}/blend.json"],
        ["score", "{work}/nothing", "--prompts", SET],
        ["score", f"{RUN}:nobody", "--prompts", SET],
        ["score", JA, "--prompts", "{work}/nothing.yaml"],
        ["sources", "inspect", "{work}"],
        ["sources", "inspect", f"{JA} + much * {FLAT}"],
        ["verify", RUN, "--json"],
        ["verify", "{work}/exports/momiji", "--hashes", "{work}/nothing.json"],
        ["monitor", "{work}/nothing", "--json"],
        ["prompts", "check", "{work}/nothing.csv"],
        ["prompts", "split", SET, "--out", "{work}/new", "--held-out", "2"],
    ],
}
