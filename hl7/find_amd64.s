//go:build !purego

#include "textflag.h"

// func findDelimiters(text []byte, patterns *[6][16]byte, found *masks)
//
// Sixteen bytes at a time are compared with each of six delimiters. It needs SSE2 alone,
// which every amd64 has. The last two are line ends, whose masks are 128 bytes behind the
// others.
TEXT ·findDelimiters(SB), NOSPLIT, $0-40
	MOVQ text_base+0(FP), SI
	MOVQ text_len+8(FP), CX
	MOVQ patterns+24(FP), DI
	MOVQ found+32(FP), DX
	MOVOU (DI), X0
	MOVOU 16(DI), X1
	MOVOU 32(DI), X2
	MOVOU 48(DI), X3
	MOVOU 64(DI), X4
	MOVOU 80(DI), X5
	SHRQ $4, CX

next:
	MOVOU (SI), X6
	MOVO X6, X7
	PCMPEQB X0, X7
	MOVO X6, X8
	PCMPEQB X1, X8
	POR X8, X7
	MOVO X6, X8
	PCMPEQB X2, X8
	POR X8, X7
	MOVO X6, X8
	PCMPEQB X3, X8
	POR X8, X7
	MOVO X6, X8
	PCMPEQB X4, X8
	PCMPEQB X5, X6
	POR X8, X6
	POR X6, X7
	PMOVMSKB X7, AX
	PMOVMSKB X6, BX
	MOVW AX, (DX)
	MOVW BX, 128(DX)
	ADDQ $16, SI
	ADDQ $2, DX
	DECQ CX
	JNZ next
	RET

// func findLineEnds(text []byte, ends *[16]uint64)
TEXT ·findLineEnds(SB), NOSPLIT, $0-32
	MOVQ text_base+0(FP), SI
	MOVQ text_len+8(FP), CX
	MOVQ ends+24(FP), DX
	MOVQ $0x0d0d0d0d0d0d0d0d, AX
	MOVQ AX, X0
	PUNPCKLQDQ X0, X0
	MOVQ $0x0a0a0a0a0a0a0a0a, AX
	MOVQ AX, X1
	PUNPCKLQDQ X1, X1
	SHRQ $5, CX

more:
	MOVOU (SI), X2
	MOVOU 16(SI), X4
	MOVO X2, X3
	MOVO X4, X5
	PCMPEQB X0, X2
	PCMPEQB X1, X3
	PCMPEQB X0, X4
	PCMPEQB X1, X5
	POR X3, X2
	POR X5, X4
	PMOVMSKB X2, AX
	PMOVMSKB X4, BX
	SHLL $16, BX
	ORL BX, AX
	MOVL AX, (DX)
	ADDQ $32, SI
	ADDQ $4, DX
	DECQ CX
	JNZ more
	RET
