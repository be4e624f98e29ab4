"""The worker face: takes tasks off the queue, calls a flow, settles, retries or buries."""
