"""Unknown backgrounds: the network's training, injections, a second generator and a third, rivals, alarm rates."""
