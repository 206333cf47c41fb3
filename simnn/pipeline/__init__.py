"""From ``config.yaml`` to datasets, figures and the ledger of claims."""
