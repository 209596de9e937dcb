"""From kept bins to physics: corner frequencies of one spectrum, activation energies of a series over temperature."""
