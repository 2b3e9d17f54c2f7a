# Runs before the executable's own entry point: see scripts/seal.ts. rdx and the stack belong to _start.
	.intel_syntax noprefix
	mov rax, [rsp]
	lea r9, [rsp + 8 * rax + 16]
	mov r10, [rip + given]
	push rdx
# Every variable of the environment whose name does not begin with a word of the list becomes empty, and its place
# in the list of variables is given to the next one of ours; the last of them takes what places are left.
variable:
	mov rdi, [r9]
	test rdi, rdi
	jz compare
	mov rsi, [rip + kept]
prefix:
	cmp byte ptr [rsi], 0
	je clear
	xor ecx, ecx
letter:
	mov al, [rsi + rcx]
	test al, al
	jz keep
	cmp al, [rdi + rcx]
	jne skip
	inc rcx
	jmp letter
skip:
	mov al, [rsi]
	inc rsi
	test al, al
	jnz skip
	jmp prefix
clear:
	mov byte ptr [rdi], 0
	mov [r9], r10
	mov rsi, r10
ours:
	mov al, [rsi]
	inc rsi
	test al, al
	jnz ours
	cmp byte ptr [rsi], 0
	cmovne r10, rsi
keep:
	add r9, 8
	jmp variable
compare:
	mov rax, [rip + pointer]
	mov rsi, [rip + payload]
	cmp [rax], rsi
	jne damaged
# rt_sigprocmask with a wrong `how` changes nothing, and says EFAULT where the file ends too early.
	mov eax, 14
	mov edi, -1
	mov rsi, [rip + last]
	xor edx, edx
	mov r10d, 8
	syscall
	cmp rax, -14
	je damaged
	mov rsi, [rip + payload]
	mov rcx, [rip + words]
	mov r8, [rip + prime]
	xor eax, eax
next:
	xor rax, [rsi]
	imul rax, r8
	mov rdx, rax
	shr rdx, 32
	xor rax, rdx
	add rsi, 8
	dec rcx
	jnz next
	cmp rax, [rip + digest]
	jne damaged
# The runtime starts in no directory that was deleted, of which getcwd says ENOENT.
	sub rsp, 4096
	mov eax, 79
	mov rdi, rsp
	mov esi, 4096
	syscall
	cmp rax, -2
	jne start
	mov word ptr [rsp], '/'
	mov eax, 80
	mov rdi, rsp
	syscall
start:
	add rsp, 4096
	pop rdx
	jmp [rip + entry]
damaged:
	mov eax, 1
	mov edi, 2
	mov rsi, [rip + message]
	mov rdx, [rip + length]
	syscall
	mov eax, 231
	mov edi, 1
	syscall
	.balign 8, 0xcc
# Filled in by scripts/seal.ts, in this order.
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
