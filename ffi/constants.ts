/** Numbers of the Linux user-space interface, each group under the header that defines it. Equal on x86-64 and arm64. */

/** linux/socket.h, bits/socket.h */
export const AF_UNIX = 1;
export const AF_INET = 2;
export const AF_INET6 = 10;
export const AF_NETLINK = 16;
export const SOL_SOCKET = 1;
export const SOL_NETLINK = 270;

/** asm-generic/socket.h */
export const SO_SNDBUF = 7;
export const SO_RCVBUF = 8;
export const SO_PEERCRED = 17;
export const SO_SNDBUFFORCE = 32;
export const SO_RCVBUFFORCE = 33;

/** bits/socket_type.h */
export const SOCK_DGRAM = 2;
export const SOCK_RAW = 3;
export const SOCK_CLOEXEC = 0o2000000;

/** bits/socket.h */
export const MSG_PEEK = 0x2;
export const MSG_DONTWAIT = 0x40;
export const MSG_TRUNC = 0x20;
export const MSG_NOSIGNAL = 0x4000;

/** linux/netlink.h */
export const NETLINK_ROUTE = 0;
export const NETLINK_SOCK_DIAG = 4;
export const NETLINK_NETFILTER = 12;
export const NETLINK_KOBJECT_UEVENT = 15;
export const NETLINK_ADD_MEMBERSHIP = 1;
export const NETLINK_DROP_MEMBERSHIP = 2;
export const NETLINK_CAP_ACK = 10;
export const NETLINK_GET_STRICT_CHK = 12;

/** bits/poll.h */
export const POLLIN = 0x1;
export const POLLPRI = 0x2;

/** sys/eventfd.h */
export const EFD_NONBLOCK = 0o4000;
export const EFD_CLOEXEC = 0o2000000;

/** asm-generic/mman-common.h */
export const MADV_DONTNEED = 4;
export const MADV_PAGEOUT = 21;

/** asm-generic/errno-base.h, asm-generic/errno.h */
export const EPERM = 1;
export const ENOENT = 2;
export const EINTR = 4;
export const EAGAIN = 11;
export const EEXIST = 17;
export const ENODEV = 19;
export const EOPNOTSUPP = 95;
export const EMSGSIZE = 90;
export const EADDRINUSE = 98;
export const ENOBUFS = 105;

/** linux/time.h */
export const CLOCK_BOOTTIME = 7;

/** linux/fcntl.h, linux/fs.h */
export const AT_FDCWD = -100;
export const RENAME_EXCHANGE = 1 << 1;
