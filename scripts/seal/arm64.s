// Runs before the executable's own entry point: see scripts/seal.ts. x0 and the stack belong to _start.
	mov x19, x0
	ldr x9, [sp]
	add x9, sp, x9, lsl #3
	add x9, x9, #16
	ldr x15, given
// Every variable of the environment whose name does not begin with a word of the list becomes empty, and its place
// in the list of variables is given to the next one of ours; the last of them takes what places are left.
variable:
	ldr x10, [x9], #8
	cbz x10, compare
	ldr x11, kept
prefix:
	ldrb w12, [x11]
	cbz w12, clear
	mov x13, #0
letter:
	ldrb w12, [x11, x13]
	cbz w12, variable
	ldrb w14, [x10, x13]
	cmp w12, w14
	b.ne skip
	add x13, x13, #1
	b letter
skip:
	ldrb w12, [x11], #1
	cbnz w12, skip
	b prefix
clear:
	strb wzr, [x10]
	stur x15, [x9, #-8]
	mov x11, x15
ours:
	ldrb w12, [x11], #1
	cbnz w12, ours
	ldrb w12, [x11]
	cmp w12, #0
	csel x15, x15, x11, eq
	b variable
compare:
	ldr x9, pointer
	ldr x10, payload
	ldr x9, [x9]
	cmp x9, x10
	b.ne damaged
// rt_sigprocmask with a wrong `how` changes nothing, and says EFAULT where the file ends too early.
	mov x8, #135
	mov x0, #-1
	ldr x1, last
	mov x2, #0
	mov x3, #8
	svc #0
	cmn x0, #14
	b.eq damaged
	ldr x11, words
	ldr x12, prime
	mov x13, #0
next:
	ldr x14, [x10], #8
	eor x13, x13, x14
	mul x13, x13, x12
	eor x13, x13, x13, lsr #32
	subs x11, x11, #1
	b.ne next
	ldr x14, digest
	cmp x13, x14
	b.ne damaged
// The runtime starts in no directory that was deleted, of which getcwd says ENOENT.
	sub sp, sp, #4096
	mov x8, #17
	mov x0, sp
	mov x1, #4096
	svc #0
	cmn x0, #2
	b.ne start
	mov w9, #'/'
	strh w9, [sp]
	mov x8, #49
	mov x0, sp
	svc #0
start:
	add sp, sp, #4096
	mov x0, x19
	ldr x16, entry
	br x16
damaged:
	mov x8, #64
	mov x0, #2
	ldr x1, message
	ldr x2, length
	svc #0
	mov x8, #94
	mov x0, #1
	svc #0
	.balign 8
// Filled in by scripts/seal.ts, in this order.
pointer: .quad 0
payload: .quad 0
last: .quad 0
words: .quad 0
prime: .quad 0
digest: .quad 0
entry: .quad 0
message: .quad 0
length: .quad 0
kept: .quad 0
given: .quad 0
