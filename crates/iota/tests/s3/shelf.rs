//! A bucket that the tests serve themselves: of thousands of objects, with which moto would be busy for minutes.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

/// What there is under a path without the query, which begins with the bucket.
type Objects = dyn Fn(&str) -> Option<Vec<u8>> + Send + Sync;

/// The address of the server. Objects never change.
pub(crate) fn shelf(objects: impl Fn(&str) -> Option<Vec<u8>> + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let objects = Arc::new(objects);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let objects = Arc::clone(&objects);
            thread::spawn(move || {
                let _ = serve(stream, &*objects);
            });
        }
    });
    url
}

/// One request after another, as long as the connection is open.
fn serve(mut stream: TcpStream, objects: &Objects) -> io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    loop {
        let (mut first, mut line) = (String::new(), String::new());
        reader.read_line(&mut first)?;
        while line != "\r\n" {
            line.clear();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
        }
        let path = first.split([' ', '?']).nth(1).unwrap_or_default();
        let (status, body) = objects(path).map_or((404, Vec::new()), |object| (200, object));
        let head = format!("HTTP/1.1 {status} X\r\nETag: \"1\"\r\nContent-Length: {}\r\n\r\n", body.len());
        stream.write_all(&[head.as_bytes(), &body].concat())?;
    }
}
