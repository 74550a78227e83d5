//! What is asked by itself, as APIs are: how often, and how old its answer may be.

use super::*;

#[tokio::test(start_paused = true)]
async fn an_api_that_hangs_holds_up_no_query_and_is_never_a_pass() {
    let scene = Scene::new(vec![query(), api()]).await;
    // It has answered once; it is asked anew by itself, a minute later.
    *scene.judge.hangs.lock().expect("whole") = true;
    scene.passes(98).await;
    assert_eq!(scene.asked(), [0, 30, 60, 90]);

    let hanging = Scene::new(vec![query(), api()]).await;
    *hanging.judge.hangs.lock().expect("whole") = true;
    hanging.passes(150).await;
    assert_eq!(hanging.share(), 5, "its answer of the stage's beginning says nothing of its end");
    assert_eq!(hanging.holds_for(), [HoldReason::CriterionUnknown]);
    assert!(hanging.asked().len() >= 6, "{:?}", hanging.asked());
}

#[tokio::test(start_paused = true)]
async fn what_is_asked_each_hour_is_asked_once_more_as_the_stages_time_is_over() {
    let scene = Scene::new(vec![api_asked_every(3_600)]).await;
    scene.passes(98).await;
    assert_eq!((scene.judge.api_asked(), scene.share()), (vec![0, 70], 5));
    scene.passes(3).await;
    assert_eq!(scene.share(), 100);
}

#[tokio::test(start_paused = true)]
async fn what_broke_off_as_the_stages_time_was_over_is_asked_again_a_minute_later() {
    let scene = Scene::new(vec![api_asked_every(3_600)]).await;
    scene.passes(60).await;
    *scene.judge.panics.lock().expect("whole") = 1;
    scene.passes(60).await;
    assert_eq!((scene.share(), scene.holds_for()), (5, vec![HoldReason::CriterionUnknown]));
    scene.passes(15).await;
    assert_eq!(scene.share(), 100, "{:?}", scene.judge.api_asked());
}

#[tokio::test(start_paused = true)]
async fn a_promotion_waits_for_a_new_answer_where_the_last_one_is_old_and_for_no_longer() {
    let scene = Scene::lasting(1_000, vec![query(), api_asked_every(3_600)]).await;
    scene.passes(120).await;
    scene.ask(RampRequest::Promote { is_full: false, is_forced: false, words: None }).await;
    scene.passes(2).await;
    assert_eq!(&scene.judge.api_asked()[..2], [0, 121], "anew");
    assert_eq!(scene.share(), 100);
}
