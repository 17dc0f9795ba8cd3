"""The bare rate of Argon2id verification on the server's core: m=19456 KiB, t=2, p=1.

Run it as: taskset -c 0 python -m benchmarks.argon2_rate SECONDS
"""

from __future__ import annotations

import json
import sys
import time

from argon2 import PasswordHasher


def rate(seconds: float) -> dict[str, float]:
    """Verifications per second on one thread; p50, p95 and p99 in milliseconds."""
    hasher = PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1)
    known = hasher.hash("correct horse battery staple bench")
    times: list[float] = []
    began = time.perf_counter()
    while (now := time.perf_counter()) - began < seconds:
        hasher.verify(known, "correct horse battery staple bench")
        times.append((time.perf_counter() - now) * 1000)
    elapsed = time.perf_counter() - began
    times.sort()
    at = [times[min(len(times) - 1, int(len(times) * share))] for share in (0.5, 0.95, 0.99)]
    return {"rate": len(times) / elapsed, "p50": at[0], "p95": at[1], "p99": at[2], "requests": len(times)}


if __name__ == "__main__":
    print(json.dumps(rate(float(sys.argv[1]))))
