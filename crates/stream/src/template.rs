//! Lines of a log in, whether such a line was ever seen before out.
//!
//! A line's template is what remains when everything that varies is taken out: words with a digit
//! in them, and what stands in quotes, become one mark. Templates are remembered by fingerprint, in
//! a table of fixed size whose oldest entries make room.
//!
//! Source: He et al. (2017), "Drain: an online log parsing approach with fixed depth tree", ICWS,
//! for the masking of words with digits; the tree is left out, since equal masks suffice to tell
//! the new from the known.

const WAYS: usize = 8;
const ROWS: usize = 512;
const MARK: &str = "<*>";

#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    fingerprint: u64,
    used: u64,
}

/// Templates that were seen.
#[derive(Clone, Debug)]
pub struct Templates {
    table: Vec<[Entry; WAYS]>,
    lines: u64,
    warm_up: u64,
}

impl Templates {
    /// Nothing is called new in the first `warm_up` lines.
    pub fn new(warm_up: u64) -> Self {
        Self { table: vec![[Entry::default(); WAYS]; ROWS], lines: 0, warm_up }
    }

    /// Takes in one line: its template, and whether it is new.
    pub fn update(&mut self, line: &str) -> (String, bool) {
        let template = mask(line);
        self.lines += 1;
        // 0 means an empty place.
        let fingerprint = fingerprint(&template).max(1);
        let row = &mut self.table[fingerprint as usize % ROWS];
        let known = row.iter_mut().find(|entry| entry.fingerprint == fingerprint);
        let is_new = known.is_none();
        if let Some(entry) = known {
            entry.used = self.lines;
        } else if let Some(oldest) = row.iter_mut().min_by_key(|entry| entry.used) {
            *oldest = Entry { fingerprint, used: self.lines };
        }
        (template, is_new && self.lines > self.warm_up)
    }
}

/// The line without what varies.
fn mask(line: &str) -> String {
    let mut template = String::with_capacity(line.len());
    let mut quote = None;
    for word in line.split_whitespace() {
        let mut marked = word.contains(|letter: char| letter.is_ascii_digit()) || quote.is_some();
        for letter in word.chars().filter(|letter| matches!(letter, '"' | '\'')) {
            marked = true;
            quote = if quote == Some(letter) { None } else { quote.or(Some(letter)) };
        }
        let word = if marked { MARK } else { word };
        if marked && template.ends_with(MARK) {
            continue;
        }
        if !template.is_empty() {
            template.push(' ');
        }
        template.push_str(word);
    }
    template
}

/// FNV-1a, 64 bits: <http://www.isthe.com/chongo/tech/comp/fnv/>.
fn fingerprint(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_varies_is_no_news() {
        let mut templates = Templates::new(2);
        assert!(!templates.update("order 17 filled in 3ms").1);
        assert!(!templates.update("connected to 'host a'").1);
        assert!(!templates.update("order 9000 filled in 12ms").1);
        assert!(!templates.update("connected to 'host b'").1);
        let (template, is_new) = templates.update("disk /dev/sda1 failed");
        assert_eq!((template.as_str(), is_new), ("disk <*> failed", true));
        assert!(!templates.update("disk /dev/sdb2 failed").1);
    }

    #[test]
    fn memory_is_bounded_and_what_is_used_stays() {
        let mut templates = Templates::new(1);
        templates.update("heartbeat");
        let word =
            |at: u32| format!("{at}").replace(|_: char| true, "x") + &"y".repeat(at as usize);
        for at in 0..2000 {
            templates.update(&word(at % 1000));
            assert!(!templates.update("heartbeat").1, "{at}");
        }
    }
}
