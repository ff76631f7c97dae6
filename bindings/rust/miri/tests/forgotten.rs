//! What `mem::forget` keeps from its destructor leaks, and does nothing worse. Miri runs this without looking for leaks.
#![cfg(miri)]

use std::future::Future;
use std::mem::forget;
use std::sync::mpsc::channel;
use std::task::{Context, Waker};
use std::thread;

use iip::net::{TcpListener, TcpStream};
use iip::rt::{self, Runtime};
use iip::{Config, Engine, Error, Region, RxBuf, Wait};
use iip_miri as _;

fn open(port: &str, address: &str) -> Engine {
    Config::new(port).address(address).open().unwrap()
}

#[test]
fn a_loop_with_all_that_it_lent() {
    let engine = open("pair:loop", "10.0.0.1/24");
    let mut l = engine.attach(0).unwrap();
    l.turn(Wait::No).map(drop).unwrap();
    let mut mine = l.tx_buf().unwrap();
    let mut theirs = l.tx_buf().unwrap();
    let region = Region::register(&engine, vec![1; 10]).unwrap();
    l.send_region(iip::Conn::from_raw(1), &region, 0..10, 0).unwrap();
    forget(l);
    assert_eq!(mine.extend_from_slice(b"still mine"), 10);
    let other = thread::spawn(move || {
        theirs.extend_from_slice(b"still theirs");
        let shared = RxBuf::from(theirs);
        assert_eq!((&shared.clone()[..], region.bytes()), (&b"still theirs"[..], &[1; 10][..]));
    });
    drop(mine);
    other.join().unwrap();
    assert_eq!(engine.attach(0).unwrap_err(), Error::BUSY);
}

#[test]
fn a_runtime_its_tasks_and_sockets() {
    let runtime = Runtime::new(open("pair:runtime", "10.0.0.1/24").attach(0).unwrap());
    let (give, take) = channel::<Waker>();
    runtime.block_on(async move {
        forget(TcpListener::bind("0.0.0.0:7".parse().unwrap()).unwrap());
        forget(rt::spawn_local(std::future::poll_fn(move |cx| {
            give.send(cx.waker().clone()).unwrap();
            std::task::Poll::<()>::Pending
        })));
        rt::yield_now().await;
    });
    let (waker, handle) = (take.recv().unwrap(), runtime.handle());
    forget(runtime);
    thread::spawn(move || {
        waker.wake();
        handle.spawn(|| async { unreachable!() });
    })
    .join()
    .unwrap();
}

#[test]
fn futures_that_were_polled() {
    let (server, client) = (open("pair:futures", "10.0.0.1/24"), open("pair:futures", "10.0.0.2/24"));
    let worker = rt::Worker::start(&server, 0).unwrap();
    let (tell, told) = channel();
    worker.handle().spawn(move || async move {
        let listener = TcpListener::bind("0.0.0.0:7".parse().unwrap()).unwrap();
        tell.send(()).unwrap();
        let stream = listener.accept().await.unwrap();
        while let Ok(Some(bytes)) = stream.recv().await {
            stream.send(bytes).await.unwrap();
        }
    });
    told.recv().unwrap();
    Runtime::new(client.attach(0).unwrap()).block_on(async {
        let stream = std::rc::Rc::new(TcpStream::connect("10.0.0.1:7".parse().unwrap()).await.unwrap());
        let mut context = Context::from_waker(Waker::noop());
        for _ in 0..2 {
            let mut reading = Box::pin(async_recv(stream.clone()));
            assert!(reading.as_mut().poll(&mut context).is_pending());
            forget(reading);
            let mut sleeping = Box::pin(rt::sleep(std::time::Duration::from_micros(1)));
            assert!(sleeping.as_mut().poll(&mut context).is_pending());
            forget(sleeping);
            stream.write_all(b"ping").await.unwrap();
            assert_eq!(&stream.recv().await.unwrap().unwrap()[..], b"ping");
        }
    });
}

async fn async_recv(stream: std::rc::Rc<TcpStream>) {
    drop(stream.recv().await);
}
