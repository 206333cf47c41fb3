# Theory as a line, simulation as points.
rule figure:
    input:
        "results/data/{study}.nc",
        workflow.source_path("../simnn/plotting/simnn.mplstyle"),
    output:
        report(
            multiext("results/figures/{study}", ".png", ".pdf"),
            category="Figures",
            subcategory="{study}",
            caption="captions/figure.rst",
            labels={"study": "{study}"},
        ),
    log:
        "results/logs/figure/{study}.log",
    benchmark:
        "results/benchmarks/figure/{study}.tsv"
    conda:
        "../environment.yml"
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        block=lambda wildcards: PLAN.block(wildcards.study),
        sources=lambda wildcards: PLAN.sources(wildcards.study, "figure"),
    shell:
        "{sys.executable} -m simnn figure --study {wildcards.study}"
        " --parameters {params.block:q} --dataset {input[0]:q} -o {output[0]:q} 2> {log:q}"
