"""What a board runs after its own start: everything is in derb.node."""

from derb import node

node.main()
