//! Bounds the number of points of a series without losing its extremes.

/// A series: seconds since t=0, and a value or `NaN` where there is none.
pub type Series = Vec<(f64, f64)>;

/// At most `limit` points: each bucket of time keeps its lowest and its highest, in their order, and says so
/// where a gap lay in it.
pub fn thin(series: &[(f64, f64)], limit: usize) -> Series {
    if series.len() <= limit {
        return series.to_vec();
    }
    let per_bucket = series.len().div_ceil((limit / 2).max(1));
    series.chunks(per_bucket).flat_map(extremes).collect()
}

fn extremes(bucket: &[(f64, f64)]) -> Series {
    let present = || bucket.iter().filter(|(_, v)| v.is_finite());
    let low = present().min_by(|a, b| a.1.total_cmp(&b.1));
    let high = present().max_by(|a, b| a.1.total_cmp(&b.1));
    match (low, high) {
        (Some(a), Some(b)) if a.0 < b.0 => vec![*a, *b],
        (Some(a), Some(b)) if a.0 > b.0 => vec![*b, *a],
        (Some(a), _) => vec![*a],
        _ => bucket.first().map(|(t, _)| (*t, f64::NAN)).into_iter().collect(),
    }
}

/// Rows of counts, one per tick, pooled so that at most `limit` remain: each row keeps its start and is summed.
/// Returns the rows and how many ticks each pools.
pub fn pool<const K: usize>(rows: &[(f64, [u64; K])], limit: usize) -> (Vec<(f64, [u64; K])>, usize) {
    let per_bucket = rows.len().div_ceil(limit.max(1)).max(1);
    let pooled = rows.chunks(per_bucket).map(|chunk| {
        let mut sum = [0; K];
        for (_, row) in chunk {
            for (total, n) in sum.iter_mut().zip(row) {
                *total += n;
            }
        }
        (chunk[0].0, sum)
    });
    (pooled.collect(), per_bucket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_keeps_its_one_bad_second() {
        let series: Series = (0..3600).map(|s| (f64::from(s), if s == 1234 { 900.0 } else { 1.0 })).collect();
        let thinned = thin(&series, 600);
        assert!(thinned.len() <= 600);
        assert!(thinned.contains(&(1234.0, 900.0)));
        assert!(thinned.windows(2).all(|w| w[0].0 < w[1].0));
    }

    #[test]
    fn gaps_stay_gaps() {
        let series: Series = (0..1000).map(|s| (f64::from(s), if s >= 500 { f64::NAN } else { 1.0 })).collect();
        assert!(thin(&series, 100).iter().any(|(_, v)| v.is_nan()));
    }

    #[test]
    fn pooling_loses_no_request() {
        let rows: Vec<(f64, [u64; 2])> = (0..1001).map(|s| (f64::from(s), [10, 1])).collect();
        let (pooled, ticks) = pool(&rows, 300);
        assert!(pooled.len() <= 300 && ticks == 4);
        assert_eq!(pooled.iter().map(|(_, r)| r[0]).sum::<u64>(), 10_010);
    }
}
