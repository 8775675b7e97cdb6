"""Other hosts: who is asked, how that is carried, how the answers are checked and merged."""
