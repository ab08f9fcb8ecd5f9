"""runtime_gdb - a debugger may call ls_dump in a task, and ls_dump_all where the loop polls; and the program goes on."""
import subprocess
import sys

sys.path.insert(0, "tests/lib")
from real import B, check, need

need("gdb")
COMMANDS = ["set breakpoint pending off", "set debuginfod enabled off", "break burn", "run", "call (int)ls_dump(1)", "delete",
            "break epoll_pwait2", "continue", "set scheduler-locking on", "call (int)ls_dump_all(1)",
            "set scheduler-locking off", "delete", "continue"]
argv = ["gdb", "-q", "-nx", "-batch", *(x for c in COMMANDS for x in ("-ex", c)), f"{B}/tests/targets/marks"]
p = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)
said = p.stdout
if "ptrace: Operation not permitted" in said:
    print("gdb may not trace here")
    sys.exit(77)
dumps = said.split("loop 'loop' (thread ")[1:]
check(len(dumps) == 2, said)
check("main: waits" in dumps[0] and "for task 'blocks'" in dumps[0] and "blocks: runs" in dumps[0], dumps[0])
check("1 running" in dumps[0] and "none running" in dumps[1] and "blocks: sleeps" in dumps[1], dumps[1])
check("exited normally" in said, said)
