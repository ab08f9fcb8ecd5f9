/* (none): channels and select | ls_chan_new, ls_chan_send, ls_case_recv, ls_select
 * asyncio has no select, and a task for each get must do; ls_select takes from one, and from no other. */
#include <loopscope/runtime.h>
#include <stdio.h>

static struct ls_chan *news, *mail;

static intptr_t sender(void *arg)
{
    const char *letter = "a letter", *headline = "a headline";
    ls_chan_send(mail, &letter, LS_NEVER);
    ls_sleep(10 * LS_MS);
    return ls_chan_send(news, &headline, LS_NEVER) + (intptr_t)arg;
}
static intptr_t app(void *arg)
{
    (void)arg;
    static const char *const names[] = { "news", "mail" };
    news = ls_chan_new("news", sizeof(char *), 0);
    mail = ls_chan_new("mail", sizeof(char *), 0);
    struct ls_task *t = ls_spawn(sender, NULL, NULL);
    for (int n = 0; n < 2; n++) {
        char *text[2];
        struct ls_case cases[] = { ls_case_recv(news, &text[0]), ls_case_recv(mail, &text[1]) };
        int i = ls_select(cases, 2, LS_NEVER);
        printf("%s - %s\n", names[i], text[i]);
    }
    ls_await(t, NULL, LS_NEVER);
    ls_chan_free(news);
    return ls_chan_free(mail);
}
int main(void)
{
    return (int)ls_run(app, NULL, NULL);
}
