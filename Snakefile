# From config.yaml to figures and the ledger of claims: `snakemake`, or `snakemake -n` to see what would run.
import pathlib
import shlex
import sys

from snakemake.utils import min_version

min_version("9.19")

# Jobs run this interpreter, also when its environment is not active. A prefix is no part of a rule, so that another
# environment does not make results stale. BLAS keeps to one thread: jobs run side by side.
shell.prefix(
    f"export PATH={shlex.quote(str(pathlib.Path(sys.executable).parent))}:$PATH"
    " OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1; "
)


# Both lines make `snakemake -s elsewhere/Snakefile` work; -d and --configfile still override them.
workdir: workflow.basedir


configfile: f"{workflow.basedir}/config.yaml"


from simnn.pipeline import dag

RESULTS = pathlib.Path("results")
PLAN = dag.Plan(config, [pathlib.Path(file) for file in workflow.configfiles])

if workflow.is_main_process:
    for path in PLAN.remove_damaged(RESULTS):
        print(f"{path} was damaged; it will be made again", file=sys.stderr)


onstart:
    globals().update(LOCK=dag.lock(RESULTS))


wildcard_constraints:
    study="[A-Za-z0-9_-]+",
    cell="[^/]+",


localrules:
    all,
    ledger,
    report,


rule all:
    input:
        expand("results/data/{study}.nc", study=PLAN.blocks),
        expand("results/figures/{study}.{suffix}", study=PLAN.blocks, suffix=["pdf", "png"]),
        "results/claims.csv",
        "results/claims.md",
        "results/report.html",


include: "rules/simulate.smk"
include: "rules/gather.smk"
include: "rules/figures.smk"
include: "rules/claims.smk"
