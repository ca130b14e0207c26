//! Much, through one connection.

use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{Home, echo};
use crate::support::{PATIENCE, address};

/// 100 MB.
const BYTES: usize = 100_000_000;

/// What the service may have in memory at the most, whatever goes through it.
const MOST_KIB: u64 = 220 << 10;

#[tokio::test]
async fn a_hundred_megabytes_come_back_are_on_record_whole_and_are_never_in_memory_at_once() {
    let home = Home::new();
    let service = home.start(&[]).await;
    let listener = echo(&service).await;
    let (mut reader, mut writer) = TcpStream::connect(address(&listener)).await.unwrap().into_split();
    let sending = tokio::spawn(async move {
        let (mut sum, mut left, mut piece) = (Sha256::new(), BYTES, vec![0_u8; 64 << 10]);
        while left > 0 {
            let size = left.min(piece.len());
            for (n, byte) in piece.iter_mut().enumerate() {
                *byte = byte.wrapping_mul(31).wrapping_add((n ^ left) as u8);
            }
            writer.write_all(&piece[..size]).await.unwrap();
            sum.update(&piece[..size]);
            left -= size;
        }
        writer.shutdown().await.unwrap();
        sum.finalize()
    });
    let (mut back, mut buffer, mut size) = (Sha256::new(), vec![0; 64 << 10], 0);
    while let n @ 1.. = timeout(PATIENCE, reader.read(&mut buffer)).await.unwrap().unwrap() {
        back.update(&buffer[..n]);
        size += n;
    }
    let sum = sending.await.unwrap();
    assert_eq!((size, back.finalize()), (BYTES, sum), "what came back");
    let connection = service.only_closed_connection(&listener).await;
    let id = connection["id"].as_str().unwrap();
    for direction in ["received", "sent"] {
        let payload =
            service.get(&format!("/connections/{id}/payload?direction={direction}")).await.expect(200);
        assert_eq!(
            (payload.body.len(), Sha256::digest(&payload.body)),
            (BYTES, sum),
            "what is on record as {direction}"
        );
    }
    let peak = service.peak_kib();
    println!("{peak} KiB of resident memory at the peak");
    assert!(peak < MOST_KIB, "{peak} KiB of resident memory at the peak");
}
