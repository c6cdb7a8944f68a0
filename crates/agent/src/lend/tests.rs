//! The leader's side, against guests that a test plays.

use tokio::task::{LocalSet, spawn_local, yield_now};

use super::*;

/// A container that has come to lend itself.
async fn guest(guests: &Guests, container: usize) -> UnixStream {
    let (own, leader) = UnixStream::pair().unwrap();
    spawn_local(guests.clone().host(leader, |_| {}));
    send(&own, &ToLeader::Here { container, place: Place::default() }, None).await.unwrap();
    own
}

/// Whether the next word says that its turn is over; none if there is no other word.
async fn goes(guest: &UnixStream) -> Option<bool> {
    let (word, _) = receive(guest).await.ok()?;
    Some(matches!(word, ToGuest::Go))
}

#[tokio::test]
async fn whose_turn_is_over_is_told_and_so_is_who_comes_after_it() {
    let test = async {
        let guests = Guests::default();
        let first = guest(&guests, 1).await;
        while guests.place(1).is_none() {
            yield_now().await;
        }
        guests.make_room(3);
        assert_eq!(goes(&first).await, Some(true));
        // Nothing of it was needed, so it was not there yet.
        assert_eq!(goes(&guest(&guests, 2).await).await, Some(true));
        drop(first);
        let third = guest(&guests, 3).await;
        while guests.place(3).is_none() {
            yield_now().await;
        }
        assert_eq!(guests.trouble(), None);
        drop(third);
        while guests.trouble().is_none() {
            yield_now().await;
        }
    };
    LocalSet::new().run_until(test).await;
}

#[tokio::test]
async fn when_a_unit_is_over_only_its_last_container_goes_in_order() {
    let test = async {
        let guests = Guests::default();
        let second = guest(&guests, 2).await;
        while guests.place(2).is_none() {
            yield_now().await;
        }
        guests.end(4);
        assert_eq!(goes(&second).await, None);
        assert_eq!(goes(&guest(&guests, 3).await).await, None);
        assert_eq!(goes(&guest(&guests, 4).await).await, Some(true));
    };
    LocalSet::new().run_until(test).await;
}
