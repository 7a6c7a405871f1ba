"""What would run on each process of the cluster: not run for this example, see README.md."""

raise SystemExit("the training of this example is simulated: see README.md")
