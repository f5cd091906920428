"""Runs a program as a kernel without Landlock would: without_landlock.py PROGRAM ARGUMENTS..."""

import ctypes
import errno
import os
import sys

ALLOW, FAIL = 0x7fff0000, 0x00050000
CREATE_RULESET = 444  # landlock_create_ruleset(2), everywhere

seccomp = ctypes.CDLL("libseccomp.so.2")
seccomp.seccomp_init.restype = ctypes.c_void_p
seccomp.seccomp_init.argtypes = [ctypes.c_uint32]
seccomp.seccomp_rule_add.argtypes = [ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int, ctypes.c_uint]
seccomp.seccomp_load.argtypes = [ctypes.c_void_p]
rules = seccomp.seccomp_init(ALLOW)
if seccomp.seccomp_rule_add(rules, FAIL | errno.ENOSYS, CREATE_RULESET, 0) or seccomp.seccomp_load(rules):
    sys.exit("no filter")
os.execv(sys.argv[1], sys.argv[1:])
