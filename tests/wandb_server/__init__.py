"""A stand-in for a W&B server: the launch part of its protocol on a real loopback socket.

It imports nothing of the product. Use::

    from tests.wandb_server import API_KEY, WandbServer

    with WandbServer() as server:                # 127.0.0.1, a free port, entities ent and team
        server.queue("q1")                       # of entity "ent"; fields: access=, mode="V0",
                                                 # resource="local-process", config={...}
        item = server.push("q1", {"entity": "ent", "project": "proj", ...}, priority=2)
        ...point a client at server.base_url with server.api_key (Basic api:KEY)...
        server.wait_for(lambda s: item.state == "CLAIMED", 10)
        run = server.run(item.run_name, "proj")  # the run that wandb.init would make: "running"
        run.state = "finished"
        assert server.complaints == []           # unknown operations, fields, variables: here

Objects are live: `Item` (`state`, `run_name`, `agent_id`, `error`, `warnings`, `popped_at`,
`acked_at`, `acks`), `Agent` (`status`, `statuses` with times, `stop_polling`, `config`), `Run`
(`state`, `stopped`, `lines`), `Sweep`, `Queue`, `Artifact` are those of `records`.
A run that nobody upserted is unknown (null) to `RunState`; `server.run(name)` makes one.

Looking: `server.requests` (each with `at`, `ended`, `operation`, `fields`, `aliases`, `variables`,
`status`, `answer`, `fault`), `server.seen("popFromRunQueue")`, `server.agents`, `server.items`,
`server.files` (uploads), `server.wait_for(condition, timeout_s)`.

Trouble: `server.fail(503, times=3)`, `server.rate_limit(2, times=1)`, `server.slow(0.5)` (until
`server.let_go()`; `server.waiting` says how many wait),
`server.cut(20, path="/storage/")` (half an answer), `server.lose_answer(field="ackRunQueueItem",
times=1)` (done, but unheard), `server.graphql_error("no", field="popFromRunQueue")` (with
`alias="x1"`: done, but an error is told of this one); all take
`field=`, `path=`, `times=` (-1: until `server.faults.clear()`) and `after=`. `server.down()` closes
the port and all connections, `server.up()` returns on the same port with everything kept.
`WandbServer(certificate=file)` speaks TLS (`certificates.Authority` makes such files), and with
`host="name.invalid"` it calls itself by a name that only a `proxy.Proxy` leads to.
`WandbServer(lease_s=1)` shortens the time that a popped item waits for its ack.
`server.stop_run(name)`, `server.stop_agent(agent)` are the web page's stop buttons.
"""

from tests.wandb_server.faults import Fault
from tests.wandb_server.records import Agent, Artifact, Item, Queue, Run, Sweep
from tests.wandb_server.server import API_KEY, Request, WandbServer

__all__ = [
    "API_KEY",
    "Agent",
    "Artifact",
    "Fault",
    "Item",
    "Queue",
    "Request",
    "Run",
    "Sweep",
    "WandbServer",
]
