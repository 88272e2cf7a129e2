"""The rows of the comparison on the host: shapes, types, and what each is to reach."""
import dataclasses
import fnmatch

PROMPT, GENERATE = 512, 64
# A prompt of many sequences would only take time: what is asked is what a step with 4 or 16 rows costs.
PROMPT_OF_MANY, GENERATE_OF_MANY = 32, 32


@dataclasses.dataclass(frozen=True)
class Targets:
    """Least share of a limit and least ratio to llama.cpp. Prefill's are those of machines with AMX."""
    decode_share: float
    decode_ratio: float
    prefill_share: float
    prefill_ratio: float


@dataclasses.dataclass(frozen=True)
class Row:
    preset: str
    type: str
    layers: int = 0          # 0: all that the preset has
    sequences: tuple = (1,)
    targets: Targets = None
    step_cost: float = 0     # a step with 16 rows in steps with one, at most
    four_gain: float = 0     # tokens of 4 sequences in tokens of one, at least

    @property
    def name(self):
        return self.model + ("" if self.sequences == (1,) else "-sequences")

    @property
    def model(self):
        return f"{self.preset}-{self.type}"

    @property
    def prompt(self):
        return PROMPT if self.sequences == (1,) else PROMPT_OF_MANY

    @property
    def generate(self):
        return GENERATE if self.sequences == (1,) else GENERATE_OF_MANY


MANY = (1, 4, 16)
ROWS = (
    Row("tinyllama-1.1b", "q8_0", targets=Targets(0.86, 1.4, 0.40, 3.5)),
    Row("tinyllama-1.1b", "q4_0", targets=Targets(0.80, 1.5, 0.40, 3.5)),
    Row("tinyllama-1.1b", "q4_K_M", targets=Targets(0.75, 2.0, 0.38, 3.5)),
    Row("tinyllama-1.1b", "bf16", targets=Targets(0.88, 1.6, 0.40, 6.0)),
    Row("qwen2.5-0.5b", "q8_0", targets=Targets(0.80, 1.5, 0.35, 2.5)),
    Row("qwen2.5-0.5b", "q4_0", targets=Targets(0.80, 1.5, 0.35, 2.5)),
    Row("olmoe-1b-7b", "q4_0", 8, targets=Targets(0.75, 1.6, 0.25, 5.0)),
    Row("olmoe-1b-7b", "q8_0", 8, targets=Targets(0.75, 1.6, 0.25, 5.0)),
    Row("mixtral-8x7b", "q4_K_M", 2, targets=Targets(0.75, 1.8, 0.35, 4.0)),
    Row("tinyllama-1.1b", "bf16", sequences=MANY, step_cost=1.5, four_gain=2.8),
    Row("tinyllama-1.1b", "q8_0", sequences=MANY, step_cost=2.0, four_gain=2.5),
    Row("tinyllama-1.1b", "q4_0", sequences=MANY, step_cost=2.6),
)

# What prefill is to reach without AMX: share of the ceiling, ratio to llama.cpp built for the same family.
PREFILL_WITHOUT_AMX = {"avx512-vnni": (0.33, 2.5), "x86-64-v3": (0.60, 1.2)}


def rows_like(patterns):
    """Rows whose name matches any of the patterns, all where there is none; ValueError names a pattern without a row."""
    for pattern in patterns:
        if not any(fnmatch.fnmatchcase(row.name, pattern) for row in ROWS):
            raise ValueError(f"no row is called {pattern}; there are {', '.join(row.name for row in ROWS)}")
    return [row for row in ROWS if not patterns or any(fnmatch.fnmatchcase(row.name, p) for p in patterns)]


def targets_of(row, family):
    """The row's targets for a family of instructions: native-amx, avx512-vnni or x86-64-v3."""
    if row.targets is None or family not in PREFILL_WITHOUT_AMX:
        return row.targets
    share, ratio = PREFILL_WITHOUT_AMX[family]
    return dataclasses.replace(row.targets, prefill_share=share, prefill_ratio=ratio)
