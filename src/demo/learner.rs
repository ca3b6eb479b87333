//! Invented people: ids from 1001, the first three as in the documentation's examples.

use crate::demo::random::Random;

/// One learner, in all courses the same.
#[derive(Clone, Debug)]
pub struct Learner {
    pub id: u64,
    pub username: String,
    pub full_name: String,
    pub email: String,
    /// The site-wide anonymous id, 32 hexadecimal digits.
    pub hash_id: String,
    pub ip: String,
    pub agent: &'static str,
    pub language: &'static str,
    pub country: &'static str,
    pub gender: &'static str,
    pub education: &'static str,
    pub year_of_birth: u64,
}

const GIVEN: [&str; 16] = [
    "Anna", "Ben", "Carl", "Dora", "Emil", "Fatima", "Göran", "Hana", "Ivan", "Jun", "Karin", "Luís", "Mei", "Nils",
    "Olga", "Pia",
];
/// One of them is the honest surname that looks like SQL's NULL.
const FAMILY: [&str; 12] =
    ["Kö", "Berg", "Null", "Åkesson", "O'Neil", "da Silva", "Li", "Novák", "Sato", "Okafor", "Weiß", "Lund"];
const AGENTS: [&str; 5] = [
    "Mozilla/5.0 (Windows NT 6.1; WOW64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/41.0.2272.76 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_10_2) AppleWebKit/600.3.18 (KHTML, like Gecko) Version/8.0.3 Safari/600.3.18",
    "Mozilla/5.0 (Windows NT 6.3; WOW64; rv:36.0) Gecko/20100101 Firefox/36.0",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/40.0.2214.111 Safari/537.36",
    "Mozilla/5.0 (iPad; CPU OS 8_1_3 like Mac OS X) AppleWebKit/600.1.4 (KHTML, like Gecko) Version/8.0 Mobile/12B466 Safari/600.1.4",
];

impl Learner {
    /// The learner with id `1001 + index`.
    pub fn new(seed: u64, index: usize) -> Self {
        let id = 1001 + index as u64;
        let mut random = Random::new(seed, &format!("learner {id}"));
        let given = GIVEN[index % GIVEN.len()];
        let family = random.pick(&FAMILY);
        let username = match index {
            0 => "anna_k".to_owned(),
            1 => "ben".to_owned(),
            2 => "carl".to_owned(),
            _ => format!("{}{id}", given.to_lowercase().replace('ö', "o").replace('í', "i")),
        };
        let full_name = match index {
            0 => "Anna \"A\\K\" Kö".to_owned(),
            2 => "Carl marked_name".to_owned(),
            6 => "NULL".to_owned(),
            9 => "Jun\tof two\u{2028}lines".to_owned(),
            _ => format!("{given} {family}"),
        };
        Learner {
            id,
            email: format!("{username}@example.org"),
            username,
            full_name,
            hash_id: random.hex(32),
            ip: address(&mut random),
            agent: random.pick(&AGENTS),
            language: random.pick(&["en-US,en;q=0.8", "sv-SE,sv;q=0.8,en-US;q=0.6", "en-GB", ""]),
            country: random.pick(&["SE", "US", "IN", "BR", "DE", "", "NULL"]),
            gender: random.pick(&["f", "m", "o", "", "NULL"]),
            education: random.pick(&["p", "m", "b", "hs", "jhs", "none", "", "NULL"]),
            year_of_birth: 1950 + random.below(50),
        }
    }
}

/// From the blocks for documentation; once in 40 an IPv6 address.
fn address(random: &mut Random) -> String {
    if random.one_in(40) {
        return format!("2001:db8::{:x}", random.below(65_536));
    }
    let block = random.pick(&["192.0.2", "198.51.100", "203.0.113"]);
    format!("{block}.{}", 1 + random.below(254))
}
