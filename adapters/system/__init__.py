"""What the operating system gives: clocks, and the lock of a state folder."""
