#!/bin/sh
# A child that is not what it should be. Its part is the name under which it is started (a link to this file), and only words of the shell itself
# are used, since children have no environment. Frames: length of the header, length of the payload, header (see `sandbox::frame`).

hello() { printf '\003\000\000\000\000\000\000\000\010\000\000'; } # version 8, nothing active, no gaps
taken() { printf '\000\000\000\000\000\000\000\000'; }
read_file() { while read -r line && [ "$line" != 'end of file' ]; do :; done; }
linger() { while read -r _; do :; done; }

case "${0##*/}" in
mute) linger ;;
older) printf '\003\000\000\000\000\000\000\000\007\000\000'; linger ;;
babbling) printf 'what is your name'; linger ;;
gone) exit 3 ;;
unwilling) hello ;;
fainting) hello; read_file; taken; exit 7 ;;
swapping) hello; taken; printf '\001\000\000\000\000\000\000\000\003'; linger ;; # answers any question with an image
flooding) hello; taken; printf '\377\377\377\377\377\377\377\377'; linger ;;
poor) ulimit -v 160000; exec "${0%/*}/inframe" "$@" ;;
*) exit 2 ;;
esac
