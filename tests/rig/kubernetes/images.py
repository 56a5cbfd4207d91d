"""Which images the stand-in's nodes can pull: all but those below `.invalid/`.

Those of a registry below `.private/` need a login, which a pod's pull secrets have to hold.
"""

from __future__ import annotations

import base64
import json

from tests.rig.kubernetes.cluster import Cluster
from tests.rig.kubernetes.kinds import SECRETS
from tests.rig.kubernetes.objects import Obj


def refusal(cluster: Cluster, pod: Obj, image: str) -> str:
    """Return why *image* cannot be pulled for *pod*, nothing where it can."""
    host = image.partition("/")[0]
    if host.endswith(".invalid"):
        return f'failed to pull image "{image}": no such host'
    if host.endswith(".private") and not any(host in one for one in _logins(cluster, pod)):
        return f'failed to pull image "{image}": 401 Unauthorized: authentication required'
    return ""


def _logins(cluster: Cluster, pod: Obj) -> list[Obj]:
    found = []
    for reference in pod["spec"].get("imagePullSecrets") or ():
        secret = cluster.look(SECRETS, pod["metadata"]["namespace"], reference["name"])
        if secret is not None and secret["type"] == "kubernetes.io/dockerconfigjson":
            found.append(json.loads(base64.b64decode(secret["data"][".dockerconfigjson"]))["auths"])
    return found
