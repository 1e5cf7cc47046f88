"""`python -m cluster.netpol KUBECONFIG SOCKET`, in the network namespace of the node."""

import sys
import threading
from pathlib import Path

from cluster.api import Api
from cluster.netpol.agent import Agent, Requests, apply_with_nft

agent = Agent(Api(Path(sys.argv[1])), apply_with_nft)
requests = Requests(Path(sys.argv[2]), agent)
threading.Thread(target=requests.serve_forever, daemon=True).start()
agent.serve()
