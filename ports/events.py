"""What an agent's log tells, declared once: `docs/events.md` is made from this list.

A name is for programs and stays; the sentence is for people and may change.
"""

from __future__ import annotations

from typing import Final

from launchyard.ports.event import Event, Level

_D, _I, _W, _E = Level

# The agent as a whole
AGENT_ENDS: Final = Event(
    "agent_ends", _I, "the agent ends ({mode}), asked by {by}", "A drain or an end was asked for."
)
DRAIN_PREEMPTS: Final = Event(
    "drain_preempts",
    _W,
    "drain_timeout has passed; {jobs} jobs of this host are stopped",
    "They end as preempted, and a queue may retry them.",
)
TROUBLE: Final = Event(
    "trouble",
    _W,
    "{where}: {what}",
    "Something fails; told once, and not again while it goes on in the same words.",
)
TROUBLE_OVER: Final = Event("trouble_over", _I, "{where} works again", "It works again.")
STACKS: Final = Event(
    "stacks", _W, "{what}", "What every actor and thread does: the answer to SIGUSR1."
)

# Configuration
CONFIG_ABSENT: Final = Event(
    "config_absent",
    _I,
    "there is no configuration file to read again",
    "SIGHUP had nothing to do.",
)
CONFIG_READ: Final = Event(
    "config_read",
    _I,
    "the configuration was read again; what counts from now on: {keys}",
    "SIGHUP was obeyed.",
)
CONFIG_WAITS: Final = Event(
    "config_waits",
    _W,
    "these keys changed, and count from the agent's next start: {keys}",
    "Start the agent again for them; its jobs go on.",
)

# Jobs
JOB_MOVED: Final = Event(
    "job_moved",
    _D,
    "{item} attempt {attempt} of {queue} is {state} on {target}",
    "An attempt has another state.",
)
JOB_ENDED: Final = Event(
    "job_ended",
    _I,
    "{item} attempt {attempt} of {queue} {state} on {target} ({reason})",
    "An attempt has ended.",
)
JOB_THERE: Final = Event(
    "job_there",
    _I,
    "{item} is on its target already: {detail}",
    "A submit that seemed to fail had been heard.",
)
JOB_NOT_OURS: Final = Event(
    "job_not_ours",
    _I,
    "{item} attempt {attempt} is no longer this agent's",
    "Another agent has it.",
)
PLAN_FAILED: Final = Event(
    "plan_failed", _E, "planning {item} failed", "A fault of ours or of a plugin's: please report."
)
LEASE_ODD: Final = Event(
    "lease_odd",
    _E,
    "the server leased {item} although it waits in its queue",
    "A fault of the server's: please report.",
)
LOG_CUT: Final = Event(
    "log_cut",
    _W,
    "the log of {item} is not shipped to its end: {error}",
    "What is missing is marked in the job's log.",
)
ORPHAN: Final = Event(
    "orphan",
    _W,
    "orphan: {name} on {scope} ({state}) says it is attempt {attempt} of {item}, which is over or "
    "unknown",
    "Look at it, and remove it by hand; `reap_orphans` has the agent do so after an hour.",
)
ORPHAN_REAPED: Final = Event(
    "orphan_reaped",
    _W,
    "orphan: {name} on {scope} is being {what}",
    "As `reap_orphans` asks for.",
)

# Targets
CIRCUIT_OPENED: Final = Event(
    "circuit_opened",
    _W,
    "target {target} failed too often in a row: {detail}",
    "Nothing is claimed for it until a probe shows that it works.",
)
CIRCUIT_CLOSED: Final = Event(
    "circuit_closed", _I, "target {target} works again", "Its probe started."
)
TARGET_SILENT: Final = Event(
    "target_silent",
    _W,
    "{name} cannot be looked at now: {error}",
    "It is watched and looked at again.",
)
JOBS_UNKNOWN: Final = Event(
    "jobs_unknown",
    _W,
    "nobody knows how {jobs} jobs stand: {error}",
    "The target is asked again.",
)
CANCEL_FAILED: Final = Event(
    "cancel_failed", _W, "{name} cannot be cancelled now: {error}", "It is tried again."
)
CONTAINER_WARNED: Final = Event(
    "container_warned",
    _W,
    "the engine took {name}, and warns: {told}",
    "It runs all the same, without what the engine left out.",
)
NOTE_REFUSED: Final = Event(
    "note_refused",
    _W,
    "the cluster takes no note of why {name} is ended: {error}",
    "It is ended all the same; an agent that begins anew meanwhile tells of it as lost.",
)
REMOVE_FAILED: Final = Event(
    "remove_failed",
    _W,
    "{name} cannot be removed: {error}",
    "What an ended job left on its target stays there: remove it by hand.",
)
SWEEP_FAILED: Final = Event(
    "sweep_failed",
    _W,
    "the target cannot be looked through now: {error}",
    "The next look for orphans is made as usual.",
)

EVENTS_DEAF: Final = Event(
    "events_deaf",
    _W,
    "the target's events are not heard now: {error}",
    "It is asked again, and what happened meanwhile is told then.",
)
IMAGE_PULLING: Final = Event("image_pulling", _I, "pulling {image}", "A job waits for its image.")
IMAGE_PRUNED: Final = Event(
    "image_pruned", _I, "removed image {image}", "No job used it for as long as `prune` says."
)
IMAGE_STAYS: Final = Event(
    "image_stays",
    _W,
    "image {image} could not be removed: {error}",
    "It is tried again; remove it by hand if that lasts.",
)
OUTPUTS_CUT: Final = Event(
    "outputs_cut",
    _W,
    "{name} left more files than are kept: {what} stays behind",
    "Have the job pack its outputs, or put large ones where they are kept.",
)
IMAGE_PULLED: Final = Event("image_pulled", _I, "pulled {image}", "The image is here.")

LOCAL_AGAIN: Final = Event(
    "local_again",
    _W,
    "this machine refuses something and is asked again: {error}",
    "A full disk, or a lack of open files.",
)

# Processes, actors and plugins
ACTOR_REPLACED: Final = Event(
    "actor_replaced",
    _E,
    "the actor {actor} died of an error and is replaced",
    "A fault of ours: please report, with the lines before it.",
)
SUPERVISOR_AGAIN: Final = Event(
    "supervisor_again",
    _W,
    "the supervisor begins anew from the journal",
    "It takes everything up as it was.",
)
HOST_REPLACED: Final = Event(
    "host_replaced",
    _W,
    "the {host} host ended ({how}) and is replaced",
    "A worker process died; its jobs are looked up.",
)
HOST_SILENT: Final = Event(
    "host_silent",
    _W,
    "the {host} host does not answer and is ended",
    "A worker process hangs, often in an SDK.",
)
MESSAGE_UNKNOWN: Final = Event(
    "message_unknown", _E, "{who} does not know {what}", "A fault of ours: please report."
)
MESSAGE_IDLE: Final = Event(
    "message_idle", _D, "nothing to be done about {what}", "A worker process told what is known."
)
TIDIED: Final = Event(
    "tidied", _I, "took away {count} {kind} ({size_b} bytes)", "They were kept long enough."
)
TIDY_FAILED: Final = Event(
    "tidy_failed", _W, "the state folder was not tidied: {error}", "It is tried again later."
)
JOURNAL_ASIDE: Final = Event(
    "journal_aside",
    _W,
    "the journal is set aside as {file}; the server is asked anew",
    "`--rebuild-journal` was given.",
)
BUILDER_UNUSABLE: Final = Event(
    "builder_unusable", _W, "{error}", "A builder or a source fails until this is mended."
)
TARGET_LEFT_OUT: Final = Event(
    "target_left_out",
    _W,
    "queues of the type {target} are not served: {error}",
    "This machine seems to have the target, which nobody configured, and it cannot be reached.",
)
JOB_UNREAD: Final = Event(
    "job_unread",
    _W,
    "the job of item {item} cannot be read: {error}",
    "The item fails; or, where another try may help, returns to its queue of the W&B server.",
)
PLUGIN_FAULT: Final = Event(
    "plugin_fault", _W, "plugin {plugin}: {error}", "See `launchyard plugins`."
)
WEBHOOK_LOST: Final = Event(
    "webhook_lost", _W, "the webhook did not get {id}: {error}", "This event is not sent again."
)

EVENTS: Final[tuple[Event, ...]] = tuple(
    value for value in list(globals().values()) if isinstance(value, Event)
)
"""Everything above, in its order."""
