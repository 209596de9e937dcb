"""Unknown backgrounds: the network's training, injections, a second generator, rivals, alarm rates."""
