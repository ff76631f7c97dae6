//! A forked child has no stack: every call says so, and the parent goes on. A program of its own, since it forks.

mod common;

use common::{connect, sides, turn, until};
use iip::{Error, EventKind, Post, Wait};

#[test]
fn a_child_is_told_and_the_parent_goes_on() {
    let (mut server, mut client) = sides("pair:fork");
    let (there, here) = connect(&mut server, &mut client, 7);
    client.l.send_copy(here, b"kept").unwrap();
    let kept = until(&mut server, &mut client, EventKind::Data).buf.unwrap();
    let remote = server.l.remote();
    // SAFETY: the child calls nothing that a lock of another thread could stop, and ends by _exit.
    let child = unsafe { libc::fork() };
    assert!(child >= 0);
    if child == 0 {
        let told = [
            server.l.turn(Wait::No).err(),
            server.l.listen(common::at(9), 0).err(),
            remote.wake().err(),
            remote.post(Post::Nop, 0, false).err(),
            server.engine.attach(0).err().filter(|&e| e != Error::BUSY),
        ];
        let right = told[..4].iter().all(|&e| e == Some(Error::FORKED)) && &kept[..] == b"kept";
        drop((kept, server, client));
        // SAFETY: as a child ends.
        unsafe { libc::_exit(if right { 0 } else { 1 }) };
    }
    let mut status = 0;
    // SAFETY: the status is ours.
    assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
    assert_eq!(status, 0, "what the child was told is not FORKED");
    assert_eq!(&kept[..], b"kept");
    server.l.send(there, kept).unwrap();
    assert_eq!(&until(&mut client, &mut server, EventKind::Data).buf.unwrap()[..], b"kept");
    turn(&mut server);
    drop((server.l, remote));
    let leaks = server.engine.close().unwrap();
    assert_eq!(leaks.bufs, 0);
}
