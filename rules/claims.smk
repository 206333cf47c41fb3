# Predictions against measurements, study by study and all together.
rule claims:
    input:
        "results/data/{study}.nc",
    output:
        "results/claims/{study}.csv",
    log:
        "results/logs/claims/{study}.log",
    conda:
        "../environment.yml"
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        block=lambda wildcards: PLAN.block(wildcards.study),
        sources=lambda wildcards: PLAN.sources(wildcards.study, "claims"),
    shell:
        "python -m simnn claims --study {wildcards.study}"
        " --parameters {params.block:q} --dataset {input:q} -o {output:q} 2> {log:q}"


rule ledger:
    input:
        expand("results/claims/{study}.csv", study=PLAN.blocks),
    output:
        table="results/claims.csv",
        readable=report("results/claims.md", category="Claims"),
    log:
        "results/logs/ledger.log",
    conda:
        "../environment.yml"
    params:
        sources=lambda wildcards: dag.cells.digest("pipeline/stages.py"),
    shell:
        "python -m simnn ledger {input:q} --table {output.table:q} --readable {output.readable:q} 2> {log:q}"


rule report:
    input:
        expand("results/claims/{study}.csv", study=PLAN.blocks),
        expand("results/figures/{study}.png", study=PLAN.blocks),
        expand("results/data/{study}.nc", study=PLAN.blocks),
    output:
        "results/report.html",
    log:
        "results/logs/report.log",
    conda:
        "../environment.yml"
    params:
        blocks=lambda wildcards: dag.cells.dump(PLAN.blocks),
        sources=lambda wildcards: [PLAN.sources(study, "report") for study in PLAN.blocks],
    shell:
        "python -m simnn report --parameters {params.blocks:q} --results results -o {output:q} 2> {log:q}"
