"""Runs of training programs: what is the same for all frameworks.

A run has a folder (`folder.py`), a plan of batches (`plan.py`) and checkpoints (`checkpoints.py`). Its loop
(`loop.py`) works in a process of its own (`process.py`), which alone has the framework; `supervise.py` starts it
and hears of it, `run.py` begins a run or takes one up again.
"""
