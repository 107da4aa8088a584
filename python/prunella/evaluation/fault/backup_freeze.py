"""Stops the backup exchange with SIGSTOP: the way out is shut while nobody needs it."""

import signal

from prunella.evaluation.fault.signalled import SignalledFault


class BackupFreeze(SignalledFault):
    """Nothing to be done but to tell somebody, and not to go there."""

    name = "backup-freeze"
    title = "backup exchange frozen (SIGSTOP)"
    domain = "network"
    kind = "held"
    hold_s = 8.0
    fault_class = "venue.silent"
    component = "exchange-backup"
    number = signal.SIGSTOP
